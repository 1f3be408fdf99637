"""The example's data: always the same, with boxes that lie where the shapes are, in both formats."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def made(run_light, tmp_path_factory):
    """Twelve small photos in both formats."""
    base = tmp_path_factory.mktemp("made")
    for kind in ("coco", "ground-truth"):
        ran = run_light(
            "example/generate.py", base, "--output", str(base / kind), "--images", "12", "--size", "96",
            "--seed", "1", "--format", kind,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
    return base


def test_the_same_arguments_give_the_same_files(run_light, made, tmp_path):
    for name, seed, images in (("same", "1", "4"), ("other", "2", "12")):
        arguments = ("--output", str(tmp_path / name), "--images", images, "--size", "96", "--seed", seed)
        assert run_light("example/generate.py", tmp_path, *arguments).returncode == 0
    photos = sorted((tmp_path / "same/images").iterdir())
    assert len(photos) == 4
    assert all(photo.read_bytes() == (made / "coco/images" / photo.name).read_bytes() for photo in photos)
    assert all(
        photo.read_bytes() != (tmp_path / "other/images" / photo.name).read_bytes() for photo in photos
    )


def test_boxes_are_where_the_shapes_are(made):
    document = json.loads((made / "coco/annotations.json").read_text())
    assert {category["name"] for category in document["categories"]} == {"circle", "square", "triangle"}
    assert {annotation["category_id"] for annotation in document["annotations"]} == {1, 2, 3}
    photos = {
        image["id"]: Image.open(made / "coco/images" / image["file_name"]) for image in document["images"]
    }
    assert {photo.size for photo in photos.values()} == {(96, 96)}
    for annotation in document["annotations"]:
        left, top, width, height = annotation["bbox"]
        assert min(left, top) >= 0 and left + width <= 96 and top + height <= 96
        assert 0.15 * 96 < width < 0.5 * 96 and 0.15 * 96 < height < 0.5 * 96
        colours = np.asarray(photos[annotation["image_id"]].convert("HSV"), float)
        inside = colours[
            top + height // 2 - 2 : top + height // 2 + 3, left + width // 2 - 2 : left + width // 2 + 3
        ]
        assert np.median(inside[..., 1]) > 170, (
            "the middle of a shape is brightly coloured, the ground is pale"
        )


def test_both_formats_say_the_same(made):
    document = json.loads((made / "coco/annotations.json").read_text())
    lines = [json.loads(line) for line in (made / "ground-truth/output.manifest").read_text().splitlines()]
    names = {category["id"]: category["name"] for category in document["categories"]}
    coco = [(names[each["category_id"]], *each["bbox"]) for each in document["annotations"]]
    sides = ("left", "top", "width", "height")
    manifest = [
        (line["shapes-metadata"]["class-map"][str(box["class_id"])], *(box[side] for side in sides))
        for line in lines
        for box in line["shapes"]["annotations"]
    ]  # fmt: skip
    assert manifest == coco
    assert [line["source-ref"].rpartition("/")[2] for line in lines] == [
        image["file_name"] for image in document["images"]
    ]
