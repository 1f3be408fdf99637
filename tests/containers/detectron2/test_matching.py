"""Detections meet truth as COCO has it: best score first, own class, half of the area, crowds beside."""

from __future__ import annotations

import numpy as np
import pytest

from tests.containers.detectron2.scenes import found, image

CROWD = (0, 0, 0, 60, 60, True)


@pytest.fixture
def match(module):
    """What becomes of detections of an image with these boxes of truth."""

    def matched(boxes, rows, threshold=0.0):
        return module("matching").match(image(module("dataset"), 1, *boxes), found(*rows), threshold)

    return matched


def numbers(matched):
    return matched.right, matched.false, matched.missed


@pytest.mark.parametrize(
    ("box", "right"),
    [
        ((10, 10, 30, 30), 1),
        ((10, 10, 30, 50), 1),  # twice the area: IoU 0.5
        ((10, 10, 30, 51), 0),
        ((20, 10, 40, 30), 0),  # half of it shared: IoU 1/3
        ((50, 50, 70, 70), 0),
        ((30, 10, 50, 30), 0),  # edge at edge
        ((10, 10, 10, 30), 0),  # nothing wide
    ],
)
def test_overlap(match, box, right):
    matched = match([(0, 10, 10, 20, 20)], [(*box, 0.9, 0)])
    assert numbers(matched) == (right, 1 - right, 1 - right)
    assert matched.f1 == right


def test_the_better_score_takes_the_truth(match):
    matched = match([(0, 10, 10, 20, 20)], [(10, 10, 30, 32, 0.9, 0), (10, 10, 30, 30, 0.8, 0)])
    assert matched.truth_of.tolist() == [0, -1] and matched.f1 == pytest.approx(2 / 3)


def test_each_takes_the_truth_that_fits_best(match):
    boxes = [(0, 10, 10, 20, 20), (0, 14, 10, 20, 20)]
    assert match(boxes, [(13, 10, 33, 30, 0.9, 0), (12, 10, 32, 30, 0.8, 0)]).truth_of.tolist() == [1, 0]


def test_another_class_is_wrong_and_remembered(match):
    matched = match([(0, 10, 10, 20, 20)], [(10, 10, 30, 30, 0.9, 1), (10, 10, 30, 30, 0.7, 1)])
    assert numbers(matched) == (0, 2, 1) and matched.mistaken_for == {0: 0}


def test_what_is_below_the_threshold_is_not_there(match):
    rows = [(10, 10, 30, 30, 0.5, 0), (60, 60, 70, 70, 0.49, 0)]
    assert numbers(match([(0, 10, 10, 20, 20)], rows, 0.5)) == (1, 0, 0)
    assert numbers(match([(0, 10, 10, 20, 20)], rows, 0.51)) == (0, 0, 1)


def test_crowds_count_for_nothing(match):
    inside, half, outside = (0, 0, 10, 10, 0.9, 0), (55, 0, 65, 10, 0.8, 0), (56, 0, 66, 10, 0.7, 0)
    matched = match([CROWD], [inside, half, outside])
    assert matched.truth_of.tolist() == [-2, -2, -1] and numbers(matched) == (0, 1, 0)
    assert match([CROWD], [(0, 0, 10, 10, 0.9, 1)]).false == 1, "of another class"
    both = match([CROWD, (0, 0, 0, 10, 10)], [inside])
    assert both.truth_of.tolist() == [1] and both.found.tolist() == [False, True]


def test_nothing_at_all(match):
    for boxes, rows, expected in (
        ([], [], (0, 0, 0)),
        ([CROWD], [], (0, 0, 0)),
        ([], [(0, 0, 9, 9, 1, 0)], (0, 1, 0)),
    ):
        assert numbers(match(boxes, rows)) == expected
    assert match([], []).f1 == 1.0


def test_overlaps_are_shares_of_the_union(module):
    generator = np.random.default_rng(0)
    low = generator.random((30, 2)) * 50
    boxes = np.hstack([low, low + 1 + generator.random((30, 2)) * 50])
    shares = module("matching").overlaps(boxes, boxes, np.zeros(30, bool))
    assert (
        np.allclose(np.diag(shares), 1)
        and np.allclose(shares, shares.T)
        and 0 <= shares.min() <= shares.max() <= 1
    )
    assert np.allclose(module("matching").overlaps(boxes * 7, boxes * 7, np.zeros(30, bool)), shares)
