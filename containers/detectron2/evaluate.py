"""Measure a model on training and test images; write numbers, plots, pictures and a report page."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import coco_scores
import dataset
import detector
import judging
import model_quality
import pictures
import plots
import report
from dataset import BadDataset, Dataset, Image
from detector import BadModel, Detections, Detector
from judging import Split
from report import Shown

from trainyard.in_image.archives import BadArchive, extract_archive
from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.metrics import emit
from trainyard.in_image.opt_ml import OptMl

ARCHIVE, DETAILS = "model.tar.gz", "model.json"
_TOLD = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR", "precision", "recall")
_MOST = 100  # detections per image, as COCO has it
_BATCH, _BATCH_PIXELS = 16, 32_000_000
_QUIET = 5.0  # seconds between two lines of progress


class EvaluationFailed(Exception):
    """There is nothing to measure, or not by this model; the message says what is missing."""


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    expected = (EvaluationFailed, BadModel, BadArchive, BadDataset, pictures.BadPicture, BadArgument, OSError)
    try:
        evaluate(parse(argv, opt_ml))
    except expected as error:
        print(f"evaluation failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    for name in ("model", "train", "validation", "test", "evaluation"):  # validation need not be there
        parser.add_argument(f"--{name}", type=Path, default=opt_ml.processing / name)
    parser.add_argument(
        "--runtime",
        choices=("auto", "reference"),
        default="auto",
        help="auto: as an endpoint would; reference: Detectron2's DefaultPredictor",
    )
    parser.add_argument(
        "--score-threshold",
        type=between(0.0, 1.0),
        help="for precision, recall and pictures; AP has none. Without it: that of the best F1 on the validation "
        "images, or on the training images where there are none",
    )
    parser.add_argument(
        "--training-images",
        type=between(0, 10_000_000, int),
        default=0,
        help="at most so many of the training images, drawn at random; 0: all",
    )
    parser.add_argument("--pictures", type=between(0, 1000, int), default=24, help="at most so many")
    return parser.parse_args(argv)


def evaluate(arguments: argparse.Namespace) -> None:
    """Raises EvaluationFailed, BadModel, BadArchive, BadDataset, BadPicture; nothing is written then."""
    began = time.perf_counter()
    with model_folder(arguments.model) as folder:
        model = detector.reference(folder) if arguments.runtime == "reference" else detector.load(folder)
        details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
        splits = measure(arguments, model)
    write(arguments, splits, details)
    told = splits[0].scores.overall.as_json() | splits[0].overall()
    emit({f"evaluation:{name}": told[name] for name in _TOLD if told[name] is not None})
    images = sum(len(split.dataset.images) for split in splits)
    emit({"evaluation:images": images}, f"in {time.perf_counter() - began:.1f} s")


@contextlib.contextmanager
def model_folder(folder: Path) -> Iterator[Path]:
    """Where the model's files are: in ``folder``, or unpacked from the archive there. Raises EvaluationFailed."""
    if (folder / DETAILS).exists():
        yield folder
        return
    archive = next(iter(sorted(folder.rglob(ARCHIVE))), None)
    if archive is None:
        raise EvaluationFailed(
            f"no model in {folder}: there is neither {ARCHIVE} nor {DETAILS}, as training leaves"
        )
    with tempfile.TemporaryDirectory() as scratch:
        extract_archive(archive, Path(scratch))
        yield Path(scratch)


def measure(arguments: argparse.Namespace, model: Detector) -> list[Split]:
    """Test images first, if there is truth in them. Raises EvaluationFailed, BadDataset, BadPicture."""
    folders = {"testing": arguments.test, "training": arguments.train}
    if (arguments.validation / dataset.ANNOTATIONS).exists():
        folders["validation"] = arguments.validation
    data = {name: read(folder, model.classes) for name, folder in folders.items()}
    if not has_truth(data["training"]):
        raise EvaluationFailed(
            f"no box of truth in {arguments.train}: its average precision, which decides, is none"
        )
    if 0 < arguments.training_images < len(data["training"].images):
        drawn = random.Random(0).sample(data["training"].images, arguments.training_images)
        data["training"] = replace(data["training"], images=tuple(sorted(drawn, key=lambda image: image.id)))
    found = {name: detect(model, each, name) for name, each in data.items()}
    threshold = arguments.score_threshold
    if threshold is None:
        chosen_on = "validation" if "validation" in data and has_truth(data["validation"]) else "training"
        threshold = judging.best_threshold(data[chosen_on], found[chosen_on][0])
        print(f"score threshold {threshold:.3f}: the best F1 on the {chosen_on} images", flush=True)
    splits = [
        Split(
            name=name,
            dataset=data[name],
            detections=detections,
            scores=coco_scores.measure(data[name], detections),
            threshold=threshold,
            milliseconds=milliseconds,
        )
        for name, (detections, milliseconds) in found.items()
    ]
    return sorted(splits, key=lambda split: split.scores.overall.ap is None)


def has_truth(data: Dataset) -> bool:
    return any(not box.crowd for image in data.images for box in image.boxes)


def read(folder: Path, classes: Sequence[str]) -> Dataset:
    """Raises BadDataset, EvaluationFailed."""
    data = dataset.read(folder)
    if data.classes != tuple(classes):
        raise EvaluationFailed(
            f"{folder} has classes {', '.join(data.classes)}, the model {', '.join(classes)}: "
            "use data and model of one run"
        )
    return data


def detect(model: Detector, data: Dataset, name: str) -> tuple[list[Detections], float | None]:
    """Whatever the model finds in each image, and the milliseconds for one; few images are in memory at a time."""
    found: list[Detections] = []
    seconds, told = 0.0, time.perf_counter()
    for batch in batches(data.images):
        pixels = [pictures.read(image) for image in batch]
        began = time.perf_counter()
        found += model.detect(pixels, threshold=0.0, limit=_MOST)
        seconds += time.perf_counter() - began
        if time.perf_counter() - told > _QUIET or len(found) == len(data.images):
            told = time.perf_counter()
            emit({"images:done": len(found), "images:total": len(data.images)}, f"{name} images")
    return found, 1000 * seconds / len(found) if found else None


def batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    """Images that are detected in one call, which uses all processors: not many, and none beside a large one."""
    batch: list[Image] = []
    for image in images:
        pixels = sum(each.width * each.height for each in (*batch, image))
        if batch and (len(batch) == _BATCH or pixels > _BATCH_PIXELS):
            yield batch
            batch = []
        batch.append(image)
    if batch:
        yield batch


def write(arguments: argparse.Namespace, splits: Sequence[Split], details: dict[str, Any]) -> None:
    folder = arguments.evaluation
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    shown = draw(splits[0], arguments.pictures, folder / "pictures")
    by_name = {split.name: split.scores.overall.ap for split in splits}
    accuracy = {f"{name}_accuracy": by_name[name] for name in sorted(by_name, reverse=True)}
    evaluation = accuracy | {split.name: split.as_json() for split in splits} | {
        "classes": splits[0].dataset.classes,
        "score_threshold": splits[0].threshold,
        "milliseconds_per_image": {split.name: split.milliseconds for split in splits},
        "pictures": [each.as_json() for each in shown],
        "definitions": report.DEFINITIONS | {"confusion": report.CONFUSION, "null": report.UNDEFINED},
    }  # fmt: skip
    for name, content in (
        ("evaluation.json", evaluation),
        ("model_quality.json", model_quality.report(splits)),
    ):
        (folder / name).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    plots.write(folder / "plots", splits)
    page = report.page(splits, shown, about(details, arguments, splits[0]))
    (folder / "report.html").write_text(page, encoding="utf-8")


def draw(split: Split, most: int, folder: Path) -> list[Shown]:
    """Draw the images that are worth looking at, worst first; the pictures."""
    shown = []
    for rank, (place, worst) in enumerate(judging.choose(split, most), 1):
        image, matched = split.dataset.images[place], split.matched[place]
        picture = pictures.draw(
            pictures.read(image), image, split.detections[place], matched, split.dataset.classes
        )
        file = folder / f"{split.name}_{rank:03}.jpg"
        pictures.save(picture, file)
        shown.append(
            Shown(
                file=file,
                width=picture.width,
                height=picture.height,
                image=image.file.name,
                right=matched.right,
                false=matched.false,
                missed=matched.missed,
                f1=matched.f1,
                worst=worst,
            )
        )
    return shown


def about(details: dict[str, Any], arguments: argparse.Namespace, split: Split) -> dict[str, str]:
    """What the page tells of the model."""
    runtime = "DefaultPredictor" if arguments.runtime == "reference" else str(details.get("runtime", "auto"))
    size = f"{details.get('min_size')} to {details.get('max_size')} pixels"
    return {"Runtime": runtime, "Image size": size, "Score threshold": f"{split.threshold:.3f}"} | {
        str(name): str(value) for name, value in details.get("provenance", {}).items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
