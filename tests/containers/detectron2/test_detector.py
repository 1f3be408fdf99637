"""Images are resized as Detectron2 resizes them, and boxes come back in pixels of the images themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def detector(module):
    return module("detector")


@pytest.fixture
def make(detector, module):
    """A detector that finds the same in every image."""

    def make(boxes, scores, min_size=20, max_size=30):
        seen = []

        def run(images):
            seen.extend(images)
            found = (np.float32(boxes).reshape(-1, 4), np.float32(scores), np.arange(len(scores)))
            return [found for _ in images]

        details = module("model_files").Details(("a", "b"), min_size, max_size, "BGR", "onnx", 0.05, 100, {})
        return detector.Detector(details, run), seen

    return make


@pytest.mark.parametrize(
    ("shape", "shortest", "longest", "expected"),
    [
        ((100, 200), 50, 1000, (50, 100)),
        ((200, 100), 50, 1000, (100, 50)),
        ((100, 100), 50, 1000, (50, 50)),
        ((100, 400), 50, 120, (30, 120)),
        ((480, 640), 800, 1333, (800, 1067)),
        ((375, 500), 600, 640, (480, 640)),
        ((100, 200), 0, 10, (100, 200)),
        ((1, 5000), 256, 512, (1, 512)),
    ],
)
def test_sizes(detector, shape, shortest, longest, expected):
    assert detector.resized(np.zeros((*shape, 3), np.uint8), shortest, longest).shape == (*expected, 3)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_no_size_is_empty_or_too_long(detector, height, width, shortest, longest):
    found = detector.resized(np.zeros((height, width, 3), np.uint8), shortest, longest)
    assert 1 <= min(found.shape[:2]) <= shortest and max(found.shape[:2]) <= max(longest, shortest)


def test_an_image_of_the_right_size_is_not_touched(detector):
    image = np.zeros((20, 30, 3), np.uint8)
    assert detector.resized(image, 20, 40) is image


def test_boxes_are_of_the_image_itself(make):
    found, seen = make([[1, 2, 10, 30], [-5, -5, 500, 500], [3, 3, 3, 9]], [0.9, 0.8, 0.7])
    [one] = found.detect([np.zeros((40, 50, 3), np.uint8)])  # twice as large as it is looked at
    assert seen[0].shape == (20, 25, 3)
    assert one.boxes.tolist() == [[2, 4, 20, 40], [0, 0, 50, 40]]  # the last one is empty
    assert one.boxes.dtype == one.scores.dtype == np.float32 and one.labels.tolist() == [0, 1]


def test_thresholds_and_limits_narrow_what_is_found(make):
    found, _ = make([[1, 1, 9, 9]] * 3, [0.9, 0.5, 0.25])
    image = np.zeros((20, 20, 3), np.uint8)
    assert [len(one) for one in found.detect([image, image], threshold=0.5)] == [2, 2]
    assert len(found.detect([image], threshold=0.0, limit=1)[0]) == 1
    assert len(found.detect([image], limit=50)[0]) == 3
    assert found.detect([]) == [] and found.classes == ("a", "b")


def test_a_graph_that_is_none_is_refused(detector, module, tmp_path, report):
    assert "ONNX Runtime cannot load it" in report["bad_graph"]


def test_the_graph_needs_no_torch(report):
    assert report["imported"] == []


@pytest.mark.parametrize("path", ["onnx", "torch", "onnx_batch"])
def test_it_finds_what_default_predictor_finds(report, path):
    """In images of several sizes: as many, and of the same class; pixels of boxes and units of scores."""
    for one in report[path]:
        assert one["found"] == one["reference"] > 0, json.dumps(report[path])
        assert one["boxes"] <= 1e-3 and one["scores"] <= 1e-3 and one["labels"] == 0
