"""The folders between preprocessing and training: what is written is read, and nothing else."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def dataset(module):
    return module("dataset")


@pytest.fixture
def written(dataset, tmp_path):
    """Two images, the second without boxes, below a folder of their own."""
    (tmp_path / "images/day").mkdir(parents=True)
    for name in ("a.png", "day/ü b.png"):
        (tmp_path / "images" / name).write_bytes(b"no image, and nobody looks")
    boxes = (dataset.Box(1, 0.5, 1, 2.25, 3), dataset.Box(0, 0, 0, 20, 10, crowd=True))
    images = (
        dataset.Image(tmp_path / "images/a.png", 1, 20, 10, boxes),
        dataset.Image(tmp_path / "images/day/ü b.png", 2, 7, 9, ()),
    )
    dataset.write(("cat", "dog"), images, tmp_path)
    return dataset.Dataset(("cat", "dog"), images)


def test_what_is_written_is_read(dataset, written, tmp_path):
    assert dataset.read(tmp_path) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations.json", "images"]


def test_is_coco_format(written, tmp_path):
    document = json.loads((tmp_path / "annotations.json").read_text())
    assert document["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert document["annotations"][0] == {
        "id": 1, "image_id": 1, "category_id": 2, "bbox": [0.5, 1, 2.25, 3], "area": 6.75, "iscrowd": 0,
    }  # fmt: skip


def test_records_are_detectron2s(dataset, written):
    first, second = dataset.records(written)
    assert first["file_name"].endswith("/images/a.png")
    assert (first["image_id"], first["width"], first["height"]) == (1, 20, 10)
    assert first["annotations"] == [
        {"bbox": [0.5, 1, 2.25, 3], "bbox_mode": 1, "category_id": 1, "iscrowd": 0},
        {"bbox": [0, 0, 20, 10], "bbox_mode": 1, "category_id": 0, "iscrowd": 1},
    ]
    assert second["annotations"] == []


def test_no_images_are_a_data_set_too(dataset, tmp_path):
    dataset.write(("cat",), (), tmp_path)
    assert dataset.read(tmp_path) == dataset.Dataset(("cat",), ())


@pytest.mark.parametrize(
    ("where", "value", "wrong"),
    [
        (("categories", 0, "id"), 0, "ids of categories"),
        (("categories", 0, "name"), "dog", "'dog' is there twice"),
        (("categories", 0, "name"), 3, "3 is there twice, or no text"),
        (("images", 1, "id"), 1, "ids of images"),
        (("images", 1, "file_name"), "c.png", "no image 'c.png'"),
        (("images", 1, "file_name"), "../images/a.png", "no image '../images/a.png'"),
        (("images", 1, "width"), 7.5, "width 7.5"),
        (("images", 0, "width"), 19, "over its edge"),
        (("annotations", 1, "id"), 1, "annotation 2 has id 1"),
        (("annotations", 1, "image_id"), 3, "image_id 3"),
        (("annotations", 1, "category_id"), 3, "category_id 3"),
        (("annotations", 1, "bbox"), [0, 0, 0, 1], r"bbox \[0, 0, 0, 1\]"),
        (("annotations", 1, "bbox"), [-1, 0, 1, 1], r"bbox \[-1, 0, 1, 1\]"),
        (("annotations", 1, "bbox"), [0, 0, 1], "unpack"),
        (("annotations", 1, "bbox"), [0, 0, float("nan"), 1], "bbox"),
        (("images",), {}, "annotation 1"),
        (("annotations",), None, "annotations.json is none"),
    ],
)  # fmt: skip
def test_what_was_never_written_is_refused(dataset, written, tmp_path, where, value, wrong):
    path = tmp_path / "annotations.json"
    document = json.loads(path.read_text())
    inside = document
    for step in where[:-1]:
        inside = inside[step]
    inside[where[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(dataset.BadDataset, match=wrong):
        dataset.read(tmp_path)


@pytest.mark.parametrize("key", ["categories", "images", "annotations"])
def test_missing_keys_are_named(dataset, written, tmp_path, key):
    path = tmp_path / "annotations.json"
    document = json.loads(path.read_text())
    del document[key]
    path.write_text(json.dumps(document))
    with pytest.raises(dataset.BadDataset, match=f"'{key}' is missing"):
        dataset.read(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\xff\xfe"])
def test_half_a_folder_is_refused(dataset, tmp_path, text):
    if text is not None:
        (tmp_path / "annotations.json").write_text(text, encoding="latin-1")
    with pytest.raises(dataset.BadDataset, match=r"annotations\.json"):
        dataset.read(tmp_path)
