"""Answers say per image what was found where, in the terms of COCO and of Ground Truth, or show it."""

from __future__ import annotations

import io
import json
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from trainyard.in_image.handler_errors import NotAcceptable


@pytest.fixture(scope="module")
def rendering(module):
    return module("rendering")


@pytest.fixture
def answer(module, rendering):
    def make(*names):
        found = module("detector").Detections(
            np.float32([[1.25, 2.5, 11.5, 22.125], [0, 0, 4.6, 5]]),
            np.float32([0.987654321, 0.5]),
            np.array([1, 0], np.int64),
        )
        nothing = module("detector").Detections(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64)
        )
        images = [np.full((30, 40, 3), 255, np.uint8)] * len(names)
        return rendering.Answer(images, names, [found, nothing][: len(names)], ("circle", "square"))

    return make


def test_json_has_boxes_as_coco_has_them(rendering, answer):
    body, kind = rendering.render(answer(None, "s3://bucket/b.png"), "*/*")
    assert kind == "application/json"
    assert json.loads(body) == {
        "predictions": [
            {
                "image": 0, "width": 40, "height": 30,
                "detections": [
                    {"bbox": [1.25, 2.5, 10.25, 19.625], "category_id": 2, "category": "square", "score": 0.987654},
                    {"bbox": [0.0, 0.0, 4.6, 5.0], "category_id": 1, "category": "circle", "score": 0.5},
                ],
            },
            {"image": "s3://bucket/b.png", "width": 40, "height": 30, "detections": []},
        ]
    }  # fmt: skip


def test_lines_are_those_of_a_ground_truth_manifest(rendering, answer):
    body, kind = rendering.render(answer("s3://bucket/a.png", None), "application/jsonlines")
    assert kind == "application/jsonlines" and body.endswith("\n")
    first, second = map(json.loads, body.splitlines())
    assert list(first) == ["source-ref", "bounding-box", "bounding-box-metadata"]
    assert first["source-ref"] == "s3://bucket/a.png"
    assert first["bounding-box"] == {
        "image_size": [{"width": 40, "height": 30, "depth": 3}],
        "annotations": [
            {"class_id": 1, "left": 1, "top": 2, "width": 11, "height": 20},
            {"class_id": 0, "left": 0, "top": 0, "width": 5, "height": 5},
        ],
    }
    metadata = first["bounding-box-metadata"]
    assert metadata["objects"] == [{"confidence": 0.987654}, {"confidence": 0.5}]
    assert metadata["class-map"] == {"0": "circle", "1": "square"}
    assert (metadata["type"], metadata["human-annotated"]) == ("groundtruth/object-detection", "no")
    assert "source-ref" not in second and second["bounding-box"]["annotations"] == []


def test_lines_can_be_learnt_from(rendering, answer, module):
    """Preprocessing reads them as it reads Ground Truth's own."""
    ground_truth, found = module("ground_truth"), module("findings").Findings({})
    body, _ = rendering.render(answer("s3://bucket/a.png", "s3://bucket/b.png"), "application/jsonlines")
    classes, images = ground_truth.parse(
        body.splitlines(), PurePosixPath("answers.manifest"), ground_truth.Rules(), found
    )
    assert classes == {"circle": 0, "square": 1}
    assert [(one.reference, one.size, len(one.boxes)) for one in images] == [
        ("s3://bucket/a.png", (40, 30), 2),
        ("s3://bucket/b.png", (40, 30), 0),
    ]
    assert images[0].created > 1.7e9


def test_a_picture_shows_the_boxes(rendering, answer):
    body, kind = rendering.render(answer(None), "image/png")
    shown = np.asarray(Image.open(io.BytesIO(body)))
    assert kind == "image/png" and shown.shape == (30, 40, 3)
    assert (shown[22, 5] != 255).any() and (shown[28, 35] == 255).all()


def test_a_picture_shows_one_image_only(rendering, answer):
    with pytest.raises(NotAcceptable, match="2 were sent"):
        rendering.render(answer(None, None), "image/png")


def test_other_types_are_refused(rendering, answer):
    with pytest.raises(NotAcceptable, match="application/json, application/jsonlines, image/png"):
        rendering.render(answer(None), "text/csv")
