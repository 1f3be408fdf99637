"""All annotation files of an input: which are read, what part they name, how they go together."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest


def coco(*names, categories=((1, "dog"),), boxes=True):
    return json.dumps(
        {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(names, 1)],
            "annotations": [
                {"image_id": number, "category_id": categories[0][0], "bbox": [1, 2, 3, 4]}
                for number in range(1, len(names) + 1)
                if boxes
            ],
            "categories": [{"id": number, "name": name} for number, name in categories],
        }
    )


def manifest(name):
    label = {"annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}]}
    metadata = {"type": "groundtruth/object-detection", "class-map": {"0": "cat"}}
    return json.dumps({"source-ref": f"s3://b/{name}", "job": label, "job-metadata": metadata})


@pytest.fixture
def read(module, tmp_path):
    """Read annotation files of these texts; other names are images."""
    annotations, image_files = module("annotations"), module("image_files")

    def read(files, *images, kind="auto"):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        names = [PurePosixPath(name) for name in (*files, *images)]
        index = image_files.Index([PurePosixPath(name) for name in images])
        rules = module("ground_truth").Rules()
        return annotations.read(tmp_path, names, index, kind, rules, module("findings").Findings({}))

    return read


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("train/annotations.json", "train"), ("valid/_annotations.coco.json", "validation"), ("Test/x.json", "test"),
        ("train.json", "train"), ("annotations/instances_val2017.json", "validation"), ("a/my-test.json", "test"),
        ("validation/deep/train.json", "validation"), ("annotations.json", None), ("data/latest.json", None),
        ("contest.json", None), ("train_1.json", None), ("output.manifest", None), ("test.manifest", "test"),
    ],
)  # fmt: skip
def test_parts(module, source, part):
    assert module("annotations").part_of(PurePosixPath(source)) == part


def test_documents_go_together(read):
    found = read(
        {
            "b/x.json": coco("1.jpg", categories=((7, "cat"), (1, "dog"))),
            "a/x.json": coco("1.jpg", "gone.jpg", categories=((1, "dog"), (2, "bird"))),
            "info.json": "{}",
        },
        "a/1.jpg", "b/1.jpg",
    )  # fmt: skip
    assert found.classes == ("dog", "bird", "cat"), "by id"
    assert {str(name): image.boxes[0].name for name, image in found.images.items()} == {
        "a/1.jpg": "dog", "b/1.jpg": "cat",
    }  # fmt: skip
    assert [image.place for image in found.missing] == ["a/x.json: image 2"]
    assert (found.files, found.ignored) == (["b/x.json", "a/x.json"], ["info.json"])


@pytest.mark.parametrize(("kind", "classes"), [("coco", ("dog",)), ("ground-truth", ("cat",))])
def test_the_format_can_be_chosen(read, kind, classes):
    files = {"x.json": coco("1.jpg"), "output.manifest": manifest("1.jpg")}
    assert read(files, "1.jpg", kind=kind).classes == classes


@pytest.mark.parametrize(
    ("files", "kind", "wrong"),
    [
        ({"x.json": coco("1.jpg"), "o.manifest": manifest("1.jpg")}, "auto", r"COCO files \(x.json\) and man"),
        ({}, "auto", "among 1 files below the input there is not a COCO file"),
        ({"x.json": '{"images": []}'}, "auto", "these are no COCO documents: x.json"),
        ({"o.manifest": manifest("1.jpg")}, "coco", r"there is not a COCO file \(\*.json\)"),
        ({"x.json": coco("1.jpg")}, "ground-truth", "there is not a Ground Truth output manifest"),
        ({"x.json": coco("1.jpg")[:-9]}, "auto", "x.json is no JSON: .*Was it cut off"),
        ({"x.json": '{"images": [], "annotations": []}'}, "auto", "'categories' is missing"),
        ({"x.json": coco("1.jpg"), "y.json": coco("1.jpg")}, "auto", r"is the file 1.jpg, as is x.json: image 1"),
        ({"x.json": coco("1.jpg", "./1.jpg")}, "auto", r"is the file 1.jpg, as is x.json: image 1"),
        ({"x.json": coco(), "y.json": coco(categories=((1, "cat"),))}, "auto", "says that 1 is 'dog'"),
    ],
)  # fmt: skip
def test_refused(module, read, files, kind, wrong):
    with pytest.raises(module("findings").Refused, match=wrong):
        read(files, "1.jpg", kind=kind)
