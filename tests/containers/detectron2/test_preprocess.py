"""preprocess.py as SageMaker runs it: images and annotations in, three data sets and a report out, or a message."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

FAMILY = Path(__file__).parents[3] / "containers/detectron2"
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="session")
def shapes(run_light, tmp_path_factory):
    """The example's photos, small; do not change them."""
    folder = tmp_path_factory.mktemp("shapes")
    for name, kind in (("coco", "coco"), ("manifest", "ground-truth")):
        arguments = ("--output", str(folder / name), "--images", "30", "--size", "64", "--format", kind)
        assert run_light("example/generate.py", folder, *arguments).returncode == 0
    return folder


@pytest.fixture
def base(shapes, tmp_path):
    """A job's folder with an input of its own, to be spoiled."""
    shutil.copytree(shapes / "coco", tmp_path / "processing/input")
    return tmp_path


@pytest.fixture
def preprocess(module, monkeypatch, capsys):
    """Run the script in this process: (exit code, what it said)."""

    def run(base, *arguments):
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
        code = module("preprocess").main(list(arguments))
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def parts(module):
    return lambda base: {part: module("dataset").read(base / "processing" / part) for part in PARTS}


def document(base, change, name="annotations.json"):
    """Change the input's annotations."""
    path = base / "processing/input" / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def quality(base):
    return json.loads((base / "processing/quality/data_quality.json").read_text())


def counts(base):
    return {name: found["count"] for name, found in quality(base)["findings"].items() if found["count"]}


def boxes(parts):
    """Every box with its image's name and its class."""
    return {
        (image.file.name, data.classes[box.label], box.x, box.y, box.width, box.height)
        for data in parts.values()
        for image in data.images
        for box in image.boxes
    }


def original(base, name="annotations.json"):
    content = json.loads((base / "processing/input" / name).read_text())
    images = {image["id"]: image["file_name"] for image in content["images"]}
    classes = {category["id"]: category["name"] for category in content["categories"]}
    return {(images[a["image_id"]], classes[a["category_id"]], *a["bbox"]) for a in content["annotations"]}


def test_outputs(base, preprocess, parts):
    code, said = preprocess(base)
    assert code == 0, said
    found = parts(base)
    assert {part: len(data.images) for part, data in found.items()} == {
        "train": 21,
        "validation": 3,
        "test": 6,
    }
    assert {data.classes for data in found.values()} == {("circle", "square", "triangle")}
    assert boxes(found) == original(base)
    for image in found["train"].images:
        assert image.file.samefile(base / "processing/input/images" / image.file.name), "a link, no copy"
    report = quality(base)
    assert report["parts"]["train"]["images"] == 21 and counts(base) == {}
    assert "circle" in said and report["files"] == ["annotations.json"]


def test_the_same_again_and_otherwise_with_another_seed(base, preprocess):
    written = []
    for seed in ("0", "0", "1"):
        assert preprocess(base, "--seed", seed)[0] == 0
        written.append([(base / "processing" / part / "annotations.json").read_bytes() for part in PARTS])
    assert written[0] == written[1] != written[2]


def test_a_manifest_gives_the_same(shapes, base, preprocess, parts, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(shapes / "manifest", other / "processing/input")
    assert preprocess(base)[0] == preprocess(other)[0] == 0
    assert boxes(parts(base)) == boxes(parts(other))
    assert [[image.file.name for image in parts(base)[part].images] for part in PARTS] == [
        [image.file.name for image in parts(other)[part].images] for part in PARTS
    ]


def test_given_parts_stay_and_missing_ones_are_made(base, preprocess, parts):
    source = base / "processing/input"
    content = json.loads((source / "annotations.json").read_text())
    for part, ids in (("train", range(1, 21)), ("test", range(21, 31))):
        (source / part).mkdir()
        chosen = {
            **content,
            "images": [image for image in content["images"] if image["id"] in ids],
            "annotations": [each for each in content["annotations"] if each["image_id"] in ids],
        }
        for image in chosen["images"]:
            (source / "images" / image["file_name"]).rename(source / part / image["file_name"])
        (source / part / "_annotations.coco.json").write_text(json.dumps(chosen))
    whole = original(base)
    (source / "annotations.json").unlink()
    assert preprocess(base)[0] == 0
    found = parts(base)
    assert {image.file.name for image in found["test"].images} == {
        f"shapes_{n:04d}.jpg" for n in range(20, 30)
    }
    assert [len(found[part].images) for part in PARTS] == [18, 2, 10]
    assert boxes(found) == whole
    assert preprocess(base, "--split", "new")[0] == 0
    assert [len(data.images) for data in parts(base).values()] == [21, 3, 6]


def spoil_boxes(content):
    first, second, third, fourth, *_ = content["annotations"]
    first["bbox"], second["bbox"], third["bbox"] = [-9, 0, 30, 30], [1, 1, 0, 5], [1, 2, float("nan"), 3]
    fourth["bbox"] = [34, 34, 30.6, 10]


@pytest.mark.parametrize("how", ["clip", "drop"])
def test_bad_boxes(base, preprocess, parts, how):
    document(base, spoil_boxes)
    code, said = preprocess(base)
    assert code == 1
    assert "[1, 2, nan, 3] in 64 x 64: a box without four finite numbers, and 2 more" in said
    assert (base / "output/message").read_text() in said
    assert counts(base)["not_a_box"] == 1, "but the report is"
    assert preprocess(base, "--on-bad-box", how)[0] == 0
    found = counts(base)
    found.pop("no_boxes", None)
    assert found == {"box_over_edge": 1, "empty_box": 1, "not_a_box": 1, "rounded_box": 1}
    found = {box[2:] for box in boxes(parts(base))}
    assert ((0, 0, 21, 30) in found) == (how == "clip") and (34, 34, 30, 10) in found
    assert preprocess(base)[0] == 1
    assert not list((base / "processing").glob("t*/*")), "nothing of an earlier run stays when one is refused"


def test_bad_images(base, preprocess, parts):
    images = base / "processing/input/images"
    whole = (images / "shapes_0001.jpg").read_bytes()
    (images / "shapes_0001.jpg").write_bytes(whole[:-200])
    (images / "shapes_0002.jpg").unlink()
    document(base, lambda content: content["images"][3].update(width=128, height=128))
    document(base, lambda content: content["images"][4].update(width=65, height=64))
    (images / "more.jpg").write_bytes(whole)
    code, said = preprocess(base)
    assert code == 1 and "and 3 more (1 missing_image, 1 broken_image, 2 other_size)" in said
    assert preprocess(base, "--on-bad-image", "drop")[0] == 0
    assert sum(len(data.images) for data in parts(base).values()) == 26
    assert counts(base)["not_annotated"] == 1


def test_duplicates_are_never_in_two_parts(base, preprocess, parts):
    images = base / "processing/input/images"
    for number in range(10, 25):
        shutil.copy(images / "shapes_0000.jpg", images / f"shapes_{number:04d}.jpg")
    for how, left in (("drop", 15), ("keep", 30)):
        assert preprocess(base, "--on-duplicate", how)[0] == 0
        where = Counter()
        for data in parts(base).values():
            for digest in {hashlib.sha256(image.file.read_bytes()).hexdigest() for image in data.images}:
                where[digest] += 1
        assert set(where.values()) == {1}
        assert sum(len(data.images) for data in parts(base).values()) == left
        assert counts(base)["duplicate_image"] == 15


@pytest.mark.parametrize("drawn_on", ["displayed", "stored"])
def test_boxes_lie_where_detectron2_sees_them(base, preprocess, parts, drawn_on):
    """A camera held sideways: the box, cut out of the image with its EXIF orientation applied, is the white part."""
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[8:18, 30:60] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    name = "shapes_0000.jpg"
    Image.fromarray(pixels).save(base / "processing/input/images" / name, exif=exif, quality=95)
    size, bbox = ((64, 40), [30, 8, 30, 10]) if drawn_on == "stored" else ((40, 64), [22, 30, 10, 30])

    def change(content):
        content["images"][0].update(width=size[0], height=size[1])
        content["annotations"] = [each for each in content["annotations"] if each["image_id"] != 1]
        content["annotations"].append({"id": 0, "image_id": 1, "category_id": 1, "bbox": bbox})

    document(base, change)
    assert preprocess(base)[0] == 0
    (image,) = [each for data in parts(base).values() for each in data.images if each.file.name == name]
    seen = np.asarray(ImageOps.exif_transpose(Image.open(image.file)).convert("L"))
    assert seen.shape == (image.height, image.width) == (64, 40)
    (box,) = image.boxes
    inside = (slice(int(box.y), int(box.y + box.height)), slice(int(box.x), int(box.x + box.width)))
    assert seen[inside].min() > 200
    assert (seen > 128).sum() == box.width * box.height
    assert counts(base).get("turned_boxes", 0) == (drawn_on == "stored")


def test_classes_are_chosen_and_merged(base, preprocess, parts):
    assert preprocess(base, "--classes", "edgy=triangle+square")[0] == 0
    found = parts(base)
    assert found["train"].classes == ("edgy",)
    assert boxes(found) == {
        (name, "edgy", *box) for name, kind, *box in original(base) if kind in ("triangle", "square")
    }
    assert counts(base)["other_class"] > 0


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--classes", "car"], "there is no class 'car' in the data; there are: circle, square, triangle"),
        (["--test-share", "0.9"], "'0.9' is not a number from 0.0 to 0.5"),
        (["--annotations", "ground-truth"], "there is not a Ground Truth output manifest"),
        (["--max-pixels", "100"], "and 29 more (30 broken_image)"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_refused(base, preprocess, arguments, wrong):
    code, said = preprocess(base, *arguments)
    assert code == 1 and wrong in said
    assert wrong in (base / "output/message").read_text()


def test_data_without_a_box_is_refused(base, preprocess):
    document(base, lambda content: content.update(annotations=[]))
    assert "none of 30 images has a box of circle, square, triangle" in preprocess(base)[1]


KILLED = """
import os, signal, sys
sys.path.insert(0, {family!r})
import dataset, preprocess
times = 0
def dying(function, after):
    def call(*arguments):
        global times
        times += 1
        if times > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return call
{patch}
preprocess.main([])
"""


@pytest.mark.parametrize(
    ("patch", "whole"),
    [
        ("preprocess.link = dying(preprocess.link, 12)", []),
        ("dataset.write = dying(dataset.write, 1)", ["train"]),
        ("from pathlib import Path; Path.replace = dying(Path.replace, 1)", []),
    ],
)
def test_killed_in_the_middle(module, base, environment, preprocess, parts, patch, whole):
    """After SIGKILL a part is whole or refused; the next run makes all of them."""
    code = KILLED.format(family=str(FAMILY), patch=patch)
    ran = subprocess.run([sys.executable, "-c", code], env=environment(base), capture_output=True, timeout=60)
    assert ran.returncode == -9
    for part in PARTS:
        if part in whole:
            module("dataset").read(base / "processing" / part)
        else:
            with pytest.raises(module("dataset").BadDataset):
                module("dataset").read(base / "processing" / part)
    assert preprocess(base)[0] == 0
    assert sum(len(data.images) for data in parts(base).values()) == 30


def test_copies_where_links_are_impossible(base, preprocess, parts, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert preprocess(base)[0] == 0
    image = parts(base)["train"].images[0]
    source = base / "processing/input/images" / image.file.name
    assert image.file.read_bytes() == source.read_bytes() and image.file.stat().st_ino != source.stat().st_ino


def test_blood_cells(data_folder, preprocess, parts, tmp_path):
    source = data_folder / "blood_cells"
    if not source.is_dir():
        pytest.skip(f"there is no {source}")
    code, said = preprocess(tmp_path, "--input", str(source))
    assert code == 0, said
    found = parts(tmp_path)
    assert [len(found[part].images) for part in PARTS] == [72, 8, 20], "test.json stays the test set"
    assert sum(len(image.boxes) for data in found.values() for image in data.images) == 1880 + 459
    assert counts(tmp_path).get("broken_image", 0) == 0
    assert all(
        {box.label for image in data.images for box in image.boxes} == {0, 1} for data in found.values()
    )


READ = """
import json, sys
sys.path.insert(0, {family!r})
import dataset
from pathlib import Path
from detectron2.data.datasets import load_coco_json
from detectron2.data.detection_utils import check_image_size, read_image
folder = Path({folder!r})
ours = dataset.records(dataset.read(folder))
theirs = load_coco_json(str(folder / "annotations.json"), str(folder / "images"), "named")
for record in ours:
    check_image_size(record, read_image(record["file_name"], "BGR"))
print(json.dumps([ours, theirs]))
"""


def test_detectron2_reads_the_same(base, run_light, environment, family_python):
    """Its own reader of COCO documents gives the same records, and images have the sizes that they say."""
    photo = base / "processing/input/images/shapes_0000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo).resize((64, 32)).save(photo, exif=exif)
    document(base, lambda content: content["images"][0].update(width=64, height=32))
    ran = run_light(
        "preprocess.py", base, "--on-bad-box", "drop", "--test-share", "0", "--validation-share", "0"
    )
    assert ran.returncode == 0, ran.stderr
    code = READ.format(family=str(FAMILY), folder=str(base / "processing/train"))
    ran = subprocess.run([family_python, "-c", code], env=environment(base), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    ours, theirs = json.loads(ran.stdout.splitlines()[-1])
    assert len(ours) == 30
    assert (ours[0]["width"], ours[0]["height"]) == (32, 64)
    for one, other in zip(ours, theirs, strict=True):
        assert one == other
