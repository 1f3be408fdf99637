"""Detections are drawn into images of any size, in colours that tell classes apart."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def drawing(module):
    return module("drawing")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 200), (200, 3), (640, 480)])
def test_images_of_any_size(module, drawing, width, height):
    found = module("detector").Detections(
        np.float32([[0, 0, width, height], [0, 0, 0.5, 0.5]]), np.float32([0.9, 0.1]), np.array([0, 1])
    )
    content = drawing.draw(np.zeros((height, width, 3), np.uint8), found, ["a", "\N{SNOWMAN}" * 50])
    assert Image.open(io.BytesIO(content)).size == (width, height)


def test_classes_have_colours_of_their_own(drawing):
    assert len({drawing._colour(label) for label in range(80)}) == 80


def test_the_image_itself_stays_as_it_was(module, drawing):
    image = np.zeros((50, 50, 3), np.uint8)
    found = module("detector").Detections(np.float32([[5, 5, 40, 40]]), np.float32([1]), np.array([0]))
    drawing.draw(image, found, ["a"])
    assert not image.any()
