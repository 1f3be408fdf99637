"""evaluate.py as SageMaker runs it: numbers, plots, pictures and a page of a model; or why not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.containers.detectron2.scenes import found
from trainyard import families
from trainyard.in_image.archives import write_archive

FAMILY = families.repository_root() / "containers" / "detectron2"
CLASSES = ("red", "green")
MODEL = {
    "model.json": json.dumps(
        {"runtime": "onnx", "min_size": 64, "max_size": 64, "provenance": {"job": "<b>"}}
    ),
    "model.safetensors": "weights",
}


def put(dataset, folder, count, classes=CLASSES, boxes=True):
    """Images with a red and a green rectangle; the last with a white corner."""
    (folder / "images").mkdir(parents=True)
    images = []
    for number in range(1, count + 1):
        pixels = np.full((64, 80, 3), 90, np.uint8)
        pixels[10:30, 5 + number : 25 + number] = (255, 0, 0)
        pixels[35:55, 40:70] = (0, 255, 0)
        if number == count:
            pixels[:5, :5] = 255
        file = folder / f"images/{number:03}.png"
        Image.fromarray(pixels).save(file)
        truth = (dataset.Box(0, 5 + number, 10, 20, 20), dataset.Box(1, 40, 35, 30, 20)) if boxes else ()
        images.append(dataset.Image(file, number, 80, 64, truth))
    dataset.write(classes, images, folder)


def archive(job):
    (job / "processing/model").mkdir(parents=True)
    write_archive(
        job / "processing/model/model.tar.gz", {name: text.encode() for name, text in MODEL.items()}
    )


def plain(job):
    (job / "processing/model").mkdir(parents=True)
    for name, text in MODEL.items():
        (job / "processing/model" / name).write_text(text)


def no_model(job):
    (job / "processing/model").mkdir(parents=True)


def half_an_archive(job):
    no_model(job)
    (job / "processing/model/model.tar.gz").write_bytes(b"half")


def no_weights(job):
    no_model(job)
    (job / "processing/model/model.json").write_text("{}")


def no_test(job):
    plain(job)
    (job / "processing/test/annotations.json").unlink()


def broken_image(job):
    plain(job)
    (job / "processing/test/images/001.png").write_bytes(b"\x89PNG")


GOOD = {
    # what is made of the folder, data (training, testing, validation), options
    "archive": (archive, {}, []),
    "plain": (plain, {"validation": {"count": 2}}, ["--pictures", "2", "--training-images", "3"]),
    "no truth to test": (plain, {"test": {"count": 2, "boxes": False}}, ["--score-threshold", "0.85"]),
    "nothing to test": (plain, {"test": {"count": 0}, "validation": {"count": 0}}, ["--pictures", "0"]),
}
BAD = {
    "no model": (no_model, {}, [], "there is neither model.tar.gz nor model.json"),
    "half": (half_an_archive, {}, [], "model.tar.gz: not a whole .tar.gz"),
    "no weights": (no_weights, {}, [], "model: no weights"),
    "no test": (no_test, {}, [], "test/annotations.json: preprocess.py writes it"),
    "broken image": (broken_image, {}, [], "test/images/001.png cannot be read"),
    "classes": (
        plain,
        {"test": {"classes": ("red", "blue")}},
        [],
        "has classes red, blue, the model red, green",
    ),
    "no truth": (plain, {"train": {"boxes": False}}, [], "no box of truth in"),
    "runtime": (plain, {}, ["--runtime", "onnx"], "--runtime: invalid choice: 'onnx'"),
    "threshold": (plain, {}, ["--score-threshold", "2"], "'2' is not a number from 0.0 to 1.0"),
}


@pytest.fixture(scope="module")
def jobs(module, family_python, environment, tmp_path_factory):
    """All jobs, run in one process: folder, what was printed, how it ended."""
    base = tmp_path_factory.mktemp("jobs")
    for name, (make, data, options, *_) in (GOOD | BAD).items():
        for split in ("train", "test", *data):
            folder = base / name / "processing" / split
            if not folder.exists():
                put(
                    module("dataset"), folder, **{"count": 6 if split == "train" else 3} | data.get(split, {})
                )
        make(base / name)
        (base / name / "options.json").write_text(json.dumps(options))
    paths = os.pathsep.join(map(str, (FAMILY, FAMILY.parents[1] / "shared", Path(__file__).parent)))
    script = Path(__file__).with_name("evaluating.py")
    ran = subprocess.run(
        [str(family_python), str(script), *(str(base / name) for name in GOOD | BAD)],
        env=environment(base, PYTHONPATH=paths), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    printed = ran.stdout.split("exit code ")
    codes = [int(each.partition("\n")[0]) for each in printed[1:]]
    texts = [printed[0], *(each.partition("\n")[2] for each in printed[1:])]
    return {
        name: (base / name, text, code) for name, text, code in zip(GOOD | BAD, texts, codes, strict=False)
    }


@pytest.fixture
def evaluation(jobs):
    def read(name):
        folder, text, code = jobs[name]
        assert code == 0, (folder / "output/message").read_text()
        folder = folder / "processing/evaluation"
        return folder, json.loads((folder / "evaluation.json").read_text()), text

    return read


def test_outputs(evaluation):
    folder, told, text = evaluation("archive")
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "model_quality.json", "plots", "pictures", "report.html",
    }  # fmt: skip
    assert 0.5 < told["testing_accuracy"] < told["training_accuracy"] < 1
    assert told["training_accuracy"] == told["training"]["AP"] and told["classes"] == list(CLASSES)
    testing = told["testing"]
    assert (testing["right"], testing["false"], testing["missed"]) == (5, 0, 1)
    assert (
        testing["per_class"]["green"]["AP"] == pytest.approx(1) and testing["per_class"]["red"]["missed"] == 1
    )
    assert testing["APl"] is None and testing["confusion"] == [[2, 0, 1], [0, 3, 0], [0, 0, 0]]
    assert told["score_threshold"] == pytest.approx(0.8), "above what is false"
    quality = json.loads((folder / "model_quality.json").read_text())["object_detection_metrics"]
    assert quality["AP"]["value"] == told["testing_accuracy"]
    assert f"evaluation:AP={told['testing_accuracy']:.6g};" in text and "evaluation:images=9;" in text
    assert "images:done=6; images:total=6; training images" in text
    assert told["milliseconds_per_image"]["testing"] > 0


def test_pictures(evaluation):
    folder, told, _ = evaluation("archive")
    assert [(each["image"], each["missed"], each["worst"]) for each in told["pictures"]] == [
        ("003.png", 1, True), ("001.png", 0, True), ("002.png", 0, False),
    ]  # fmt: skip
    for each in told["pictures"]:
        with Image.open(folder / each["file"]) as picture:
            assert picture.size == (each["width"], each["height"])
    page = (folder / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3 and "&lt;b&gt;" in page and "<dd><b>" not in page


def test_options(evaluation):
    folder, told, text = evaluation("plain")
    assert len(list((folder / "pictures").iterdir())) == 2
    assert told["training"]["images"] == 3 and told["validation"]["images"] == 2
    assert "the best F1 on the validation images" in text and "evaluation:images=8;" in text
    assert told["validation_accuracy"] == told["validation"]["AP"]


def test_without_truth_to_test(evaluation):
    folder, told, _ = evaluation("no truth to test")
    assert (
        told["testing_accuracy"] is None and told["testing"]["AP"] is None and told["score_threshold"] == 0.85
    )
    assert told["training"]["missed"] == 7, "all green ones, which score 0.8, and a red one"
    quality = json.loads((folder / "model_quality.json").read_text())["object_detection_metrics"]
    assert quality["AP"]["value"] == told["training_accuracy"] and "testing_AP" not in quality
    assert "6 training images" in (folder / "report.html").read_text()


def test_nothing_to_test(evaluation):
    folder, told, text = evaluation("nothing to test")
    assert told["testing"]["images"] == 0 and told["milliseconds_per_image"]["testing"] is None
    assert told["pictures"] == [] and list((folder / "pictures").iterdir()) == []
    assert "the best F1 on the training images" in text and told["validation_accuracy"] is None


@pytest.mark.parametrize("name", BAD)
def test_refused_with_a_message(jobs, name):
    folder, _, code = jobs[name]
    assert code == 1
    assert BAD[name][3] in (folder / "output/message").read_text()
    assert not (folder / "processing/evaluation").exists()


@pytest.mark.parametrize("size", [(10, 10), (4000, 4000), (6000, 6000)])
def test_batches_are_bounded(module, size):
    images = [module("dataset").Image(Path(), number, *size, ()) for number in range(40)]
    batches = list(module("evaluate").batches(images))
    assert [image for batch in batches for image in batch] == images
    assert max(map(len, batches)) == {10: 16, 4000: 2, 6000: 1}[size[0]]


def test_detections_of_scenes_are_as_detectors(module):
    detections = module("detector").Detections
    assert set(vars(found())) == set(detections.__dataclass_fields__)
