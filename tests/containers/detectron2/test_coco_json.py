"""COCO documents: what is read of them, and what is refused where."""

from __future__ import annotations

import copy
import json
import math
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SOURCE = PurePosixPath("day/annotations.json")
DOCUMENT = {
    "info": {"description": "not read"},
    "images": [
        {"id": 7, "file_name": "a.jpg", "width": 64, "height": 48},
        {"id": 9, "file_name": "b.jpg", "width": 10.0, "height": 20},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2.5, 3, 4], "area": 5, "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 64, 48], "iscrowd": 1, "segmentation": {}},
        {"id": 3, "image_id": 7, "category_id": 1, "segmentation": [[5, 6, 9, 6, 9, 8], [1, 7, 2, 7, 2, 9.5]]},
    ],
    "categories": [{"id": 3, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "cat"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def coco_json(module):
    return module("coco_json")


@pytest.fixture(scope="module")
def refused(module):
    return module("findings").Refused


def spoiled(*where, value):
    document = copy.deepcopy(DOCUMENT)
    inside = document
    for step in where[:-1]:
        inside = inside[step]
    if value is ...:
        del inside[where[-1]]
    else:
        inside[where[-1]] = value
    return document


def test_what_is_read(coco_json):
    classes, (first, second) = coco_json.parse(DOCUMENT, SOURCE)
    assert classes == {3: "dog", 1: "cat"}
    assert [tuple(box) for box in first.boxes] == [
        ("dog", (1, 2.5, 3, 4), False, "annotation 1"),
        ("cat", (0, 0, 64, 48), True, "annotation 2"),
        ("cat", (1, 6, 8, 3.5), False, "annotation 3"),
    ]
    assert (first.reference, first.size, first.place) == ("a.jpg", (64, 48), "day/annotations.json: image 7")
    assert (second.size, second.boxes) == ((10, 20), ())


@pytest.mark.parametrize(
    ("where", "value", "wrong"),
    [
        (("images",), ..., "day/annotations.json: 'images' is missing or no list"),
        (("annotations",), {}, "'annotations' is missing or no list"),
        (("categories",), ..., "'categories' is missing or no list"),
        (("categories", 1, "id"), 3, "category number 2 has id 3 and name 'cat', of which one was there"),
        (
            ("categories", 1, "name"),
            "dog",
            "category number 2 has id 1 and name 'dog', of which one was there",
        ),
        (("categories", 1, "name"), ..., "category number 2 has no 'name': {'id': 1}"),
        (("categories", 0, "id"), "3", "needs a whole number as id"),
        (("categories", 0), None, "category number 1 is None, no object"),
        (("images", 1, "id"), 7, "image number 2 has id 7, as an image before it"),
        (("images", 1, "id"), ..., "image number 2 has no 'id'"),
        (("images", 1, "id"), [1], "image number 2 has id [1]"),
        (("images", 0, "file_name"), ..., "image 7 has no 'file_name'"),
        (("images", 0, "file_name"), " ", "image 7 has file_name ' '"),
        (("images", 0, "width"), 0, "image 7 (a.jpg) has width 0 and height 48"),
        (("images", 0, "height"), ..., "has width 64 and height None"),
        (("images", 0, "height"), 7.5, "has width 64 and height 7.5"),
        (
            ("annotations", 0, "image_id"),
            8,
            "annotation number 1 (id 1) has image_id 8; there is no such image",
        ),
        (("annotations", 0, "image_id"), ..., "annotation number 1 has no 'image_id'"),
        (("annotations", 0, "category_id"), 2, "has category_id 2; there are 3 (dog), 1 (cat)"),
        (("annotations", 0, "category_id"), ..., "annotation number 1 has no 'category_id'"),
        (("annotations", 0, "category_id"), "3", "has category_id '3'"),
        (("annotations", 1, "id"), 1, "annotation number 2 has id 1, which is none, or was there before"),
        (("annotations", 1, "iscrowd"), 2, "annotation number 2 (id 2) has iscrowd 2; it is 0 or 1"),
        (("annotations", 1), 5, "annotation number 2 is 5, no object"),
    ],
)
def test_refused(coco_json, refused, where, value, wrong):
    with pytest.raises(refused) as error:
        coco_json.parse(spoiled(*where, value=value), SOURCE)
    assert wrong in str(error.value)


@pytest.mark.parametrize("bbox", [[1, 2, 3], "1234", [1, 2, 3, "4"], [1, 2, 3, None], [1, 2, 3, 10**400], 7])
def test_a_box_that_is_none_is_told_from_others(coco_json, bbox):
    _, (image, _) = coco_json.parse(spoiled("annotations", 0, "bbox", value=bbox), SOURCE)
    assert all(map(math.isnan, image.boxes[0].numbers))


@pytest.mark.parametrize(
    "shape", [..., [], {"counts": "x", "size": [1, 2]}, [[1, 2]], [[1, 2, 3, 4, 5, "6"]], [5]]
)
def test_neither_box_nor_polygons_are_no_box(coco_json, shape):
    _, (image, _) = coco_json.parse(spoiled("annotations", 2, "segmentation", value=shape), SOURCE)
    assert all(map(math.isnan, image.boxes[2].numbers))


def test_sizes_and_annotations_ids_may_be_absent(coco_json):
    document = copy.deepcopy(DOCUMENT)
    for entry, *keys in (
        (document["images"][0], "width", "height"),
        *((a, "id") for a in document["annotations"]),
    ):
        for key in keys:
            del entry[key]
    _, (image, _) = coco_json.parse(document, SOURCE)
    assert image.size is None and [box.place for box in image.boxes][2] == "annotation 'number 3'"


def test_is_coco(coco_json):
    assert coco_json.is_coco(DOCUMENT) and coco_json.is_coco({"images": 1, "annotations": 2})
    assert not any(map(coco_json.is_coco, ([], {}, {"images": []}, "images", None)))


def test_documents_are_merged_unless_they_contradict(coco_json, refused):
    merged = {}
    for more in ({1: "cat"}, {1: "cat", 2: "dog"}, {2: "dog"}, {}):
        coco_json.merge(merged, more, SOURCE)
    assert merged == {1: "cat", 2: "dog"}
    for more, wrong in (
        ({1: "dog"}, "category 1 is 'dog', but another annotation file says that 1 is 'cat'"),
        ({3: "cat"}, "category 3 is 'cat', but another annotation file says that 'cat' has id 1"),
    ):
        with pytest.raises(refused, match=wrong):
            coco_json.merge(dict(merged), more, SOURCE)


ODD = st.sampled_from([None, -1, 1.5, 10**400, float("inf"), True, "", "7", [], {}, [[]], [1, 2, 3, 4]])


@settings(max_examples=150, deadline=None)
@given(st.data(), ODD)
def test_a_spoiled_document_is_read_or_refused(coco_json, refused, data, odd):
    """Whatever stands in the place of one value: no other error."""
    document = json.loads(json.dumps(DOCUMENT))
    inside = document
    while True:
        key = data.draw(
            st.sampled_from(list(inside) if isinstance(inside, dict) else list(range(len(inside))))
        )
        if not isinstance(inside[key], dict | list) or not inside[key] or data.draw(st.booleans()):
            break
        inside = inside[key]
    inside[key] = odd
    try:
        coco_json.parse(document, SOURCE)
    except refused as error:
        assert str(error).startswith("day/annotations.json: ")
