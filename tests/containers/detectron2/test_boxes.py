"""Boxes: what is wrong with them, what mends them, and how they turn with their image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps


@pytest.fixture(scope="module")
def boxes(module):
    return module("boxes")


@pytest.fixture(scope="module")
def drawn(module):
    return lambda numbers, name="dog", crowd=False: (
        module("labels").Drawn(name, numbers, crowd, "box"),
        numbers,
    )


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ((0, 0, 20, 10), ""), ((19, 9, 1, 1), ""), ((0.5, 0.25, 0.1, 0.1), ""),
        ((math.nan, 0, 1, 1), "not_a_box"), ((0, 0, math.inf, 1), "not_a_box"),
        ((1, 1, 0, 5), "empty_box"), ((1, 1, 5, -5), "empty_box"),
        ((20, 0, 5, 5), "box_outside"), ((0, 10, 5, 5), "box_outside"), ((-5, 0, 5, 5), "box_outside"),
        ((0, -9, 5, 8), "box_outside"), ((19, 0, 2, 5), "rounded_box"), ((-1, 0, 5, 5), "rounded_box"),
        ((18, 0, 3.01, 5), "box_over_edge"), ((-2, 0, 5, 5), "box_over_edge"), ((0, 0, 20, 12), "box_over_edge"),
    ],
)  # fmt: skip
def test_problems(boxes, numbers, wrong):
    assert boxes.problem(numbers, 20, 10) == wrong


@pytest.mark.parametrize(("on_bad", "kept"), [("refuse", 1), ("drop", 1), ("clip", 2)])
def test_bad_boxes_are_left_out_or_cut(module, boxes, drawn, on_bad, kept):
    findings = module("findings").Findings({})
    given = [drawn(n) for n in ((1, 1, 5, 5), (-5, -5, 10, 10), (math.nan,) * 4, (1, 1, 0, 1), (99, 0, 1, 1))]
    found = [numbers for _, numbers in boxes.mend(given, 20, 10, on_bad, findings, "a.jpg")]
    assert found == [(1, 1, 5, 5), (0, 0, 5, 5)][:kept]
    assert {reason: count for reason, count in findings.counts.items() if count} == {
        "box_over_edge": 1, "not_a_box": 1, "empty_box": 1, "box_outside": 1,
    }  # fmt: skip
    assert findings.examples["box_over_edge"] == ["a.jpg, box (dog): [-5, -5, 10, 10] in 20 x 10"]


def test_rounding_duplicates_tiny_and_narrow_ones(module, boxes, drawn):
    findings = module("findings").Findings({})
    numbers = (-0.5, 0, 8, 10.25)
    given = [drawn(numbers), drawn((0, 0, 7.5, 10)), drawn(numbers, "cat"), drawn(numbers, crowd=True)]
    found = list(boxes.mend([*given, drawn((0, 0, 20, 1.5))], 20, 10, "refuse", findings, "a.jpg"))
    assert [(box.name, box.crowd, numbers) for box, numbers in found] == [
        ("dog", False, (0, 0, 7.5, 10)), ("cat", False, (0, 0, 7.5, 10)), ("dog", True, (0, 0, 7.5, 10)),
        ("dog", False, (0, 0, 20, 1.5)),
    ]  # fmt: skip
    assert [
        findings.counts[reason] for reason in ("rounded_box", "duplicate_box", "tiny_box", "narrow_box")
    ] == [3, 1, 1, 1]


SIDE = st.floats(-50, 50, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(st.tuples(SIDE, SIDE, SIDE, SIDE))
def test_what_stays_is_inside(module, boxes, drawn, numbers):
    findings = module("findings").Findings({})
    for _, (x, y, width, height) in boxes.mend([drawn(numbers)], 20, 10, "clip", findings, "a.jpg"):
        assert min(x, y) >= 0 and min(width, height) > 0
        assert x + width <= 20 + 1e-9 and y + height <= 10 + 1e-9


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_as_pillow_turns_images(boxes, orientation):
    numbers = (2, 3, 5, 4)
    pixels = np.zeros((12, 17), np.uint8)
    pixels[3:7, 2:7] = 255
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    rows, columns = np.flatnonzero(turned.any(axis=1)), np.flatnonzero(turned.any(axis=0))
    seen = (columns[0], rows[0], len(columns), len(rows))
    assert boxes.turn(numbers, orientation, 17, 12) == seen
