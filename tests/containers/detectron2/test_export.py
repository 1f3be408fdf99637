"""A trained model becomes files that are served without Detectron2, or, where that cannot be, with it."""

from __future__ import annotations

import re

import pytest


def test_the_folder_says_what_is_in_it(report):
    model = report["model"]
    assert sorted(model["sha256"]) == ["config.yaml", "model.onnx", "model.safetensors"]
    assert (model["runtime"], model["classes"], model["pixel_format"]) == (
        "onnx",
        ["circle", "square"],
        "BGR",
    )
    assert (model["min_size"], model["max_size"], model["detections_per_image"]) == (96, 160, 20)
    assert model["score_threshold"] == 0.05 and model["provenance"] == {"made": "by a test"}


def test_the_same_model_becomes_the_same_bytes(report):
    assert report["same_again"]


def test_the_model_stays_as_it_was(report):
    assert report["stays_in_training"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("untraceable", "no model.onnx, .* slower: RuntimeError: no symbol for deform_conv"),
        ("another", "no model.onnx, .* slower: the graph alone finds"),
    ],
)
def test_without_a_graph_detectron2_serves(report, name, reason):
    """As well, and the log says why."""
    made = report["without_graph"][name]
    assert made["runtime"] == "torch" and made["files"] == ["config.yaml", "model.json", "model.safetensors"]
    [agree] = made["agree"]
    assert agree["found"] == agree["reference"] > 0 and agree["boxes"] <= 1e-3
    assert re.search(reason, report["log"])
