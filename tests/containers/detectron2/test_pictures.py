"""Pictures show truth and detections where they are, in colours that mean something, at sizes one can read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.containers.detectron2.scenes import found, image

BLUE, ORANGE, GREY = (0, 114, 178), (230, 97, 0), (107, 107, 107)


@pytest.fixture
def draw(module):
    """Draw a grey image of that size with these boxes and detections."""

    def drawn(boxes, rows, size=100, classes=("cat", "dog")):
        data = image(module("dataset"), 1, *boxes, size=size)
        pixels = np.full((size, size, 3), 128, np.uint8)
        detections = found(*rows)
        matched = module("matching").match(data, detections, 0.5)
        return np.asarray(module("pictures").draw(pixels, data, detections, matched, classes))

    return drawn


def count(pixels, color):
    return int((pixels == color).all(axis=-1).sum())


def halves(pixels):
    return pixels[:, : pixels.shape[1] // 2], pixels[:, pixels.shape[1] // 2 :]


def test_right_is_blue_on_both_sides(draw):
    truth, detected = halves(draw([(0, 20, 20, 40, 40)], [(20, 20, 60, 60, 0.9, 0)]))
    for half in (truth, detected):
        assert count(half, BLUE) > 1000 and count(half, ORANGE) == 0


def test_wrong_is_orange_where_it_is_wrong(draw):
    truth, detected = halves(draw([(0, 20, 20, 40, 40)], [(70, 70, 90, 90, 0.9, 1)]))
    assert count(truth, ORANGE) > 500 and count(detected, ORANGE) > 500
    assert count(truth, BLUE) == count(detected, BLUE) == 0
    where = np.argwhere((detected == ORANGE).all(axis=-1))
    assert where[:, 0].min() > 0.6 * len(detected), "at the bottom, as the detection"


def test_crowds_are_grey(draw):
    truth, detected = halves(draw([(0, 0, 0, 90, 90, True)], [(10, 10, 20, 20, 0.9, 0)]))
    assert count(truth, GREY) > 500 and count(detected, GREY) > 100
    assert count(truth, ORANGE) == count(detected, ORANGE) == 0


def test_below_the_threshold_nothing_is_drawn(draw):
    pixels = draw([], [(20, 20, 60, 60, 0.4, 0)])
    assert all(count(pixels, color) == 0 for color in (BLUE, ORANGE, GREY))


@pytest.mark.parametrize("size", [1, 32, 500, 720, 3000])
def test_small_images_grow_and_large_ones_shrink(draw, size):
    height, width, _ = draw([(0, 0, 0, size, size)], [], size).shape
    assert 1000 <= width <= 1500 and 500 <= height <= 800


def test_names_that_are_long_or_odd(draw):
    name = "x" * 300 + "\n<b> 猫"
    assert draw([(0, 0, 0, 9, 9)], [(0, 0, 9, 9, 0.9, 0)], classes=(name, name)).shape[1] == 1030


def test_texts_that_would_hide_another_are_left_out(module):
    place, taken = module("pictures")._place, []
    for _ in range(20):
        spot = place((200, 200), (50, 50, 90, 90), 60, taken)
        if spot is not None:
            taken.append(spot)
    assert [top for _, top, _, _ in taken] == [34, 90, 50]


def put(path, pixels, **options):
    Pillow.fromarray(pixels).save(path, **options)
    return path


def test_reading_is_upright(module, tmp_path):
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[:, :5] = 200
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn right to display
    file = put(tmp_path / "a.png", pixels, exif=exif)
    upright = dataclasses.replace(image(module("dataset"), 1, file=file), width=10, height=20)
    read = module("pictures").read(upright)
    assert read.shape == (20, 10, 3) and read[:5].min() == 200 and read[5:].max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_reading_makes_rgb(module, tmp_path, mode):
    file = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Pillow.new(mode, (100, 100)).save(file)
    assert module("pictures").read(image(module("dataset"), 1, file=file)).shape == (100, 100, 3)


def test_what_cannot_be_read_is_named(module, tmp_path):
    pictures = module("pictures")
    file = put(tmp_path / "a.png", np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(pictures.BadPicture, match=r"a\.png is 20 x 10 pixels, its annotations say 100 x 100"):
        pictures.read(image(module("dataset"), 1, file=file))
    for content in (b"", file.read_bytes()[:40]):
        file.write_bytes(content)
        with pytest.raises(pictures.BadPicture, match=r"a\.png cannot be read"):
            pictures.read(image(module("dataset"), 1, file=file))


def test_saved_pictures_are_small_jpegs(module, draw, tmp_path):
    picture = Pillow.fromarray(draw([(0, 20, 20, 40, 40)], []))
    module("pictures").save(picture, tmp_path / "a.jpg")
    with Pillow.open(tmp_path / "a.jpg") as saved:
        assert saved.format == "JPEG" and saved.size == picture.size
