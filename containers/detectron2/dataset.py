"""A folder of images with their boxes, as preprocessing leaves it: images/ and annotations.json in COCO format."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ANNOTATIONS = "annotations.json"
IMAGES = "images"
XYWH_ABS = 1  # the number of detectron2.structures.BoxMode.XYWH_ABS


class BadDataset(Exception):
    """A folder that preprocessing did not write, or not to its end; the message says what is wrong where."""


@dataclass(frozen=True)
class Box:
    """``label`` is an index into the data set's classes; pixels of the image as it is displayed (EXIF applied)."""

    label: int
    x: float
    y: float
    width: float
    height: float
    crowd: bool = False


@dataclass(frozen=True)
class Image:
    """``width`` and ``height`` in pixels, as displayed (EXIF applied)."""

    file: Path
    id: int
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Dataset:
    classes: tuple[str, ...]
    images: tuple[Image, ...]


def read(folder: Path) -> Dataset:
    """Raises BadDataset."""
    path = folder / ANNOTATIONS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadDataset(f"there is no {path}: preprocess.py writes it, last of all") from None
    except (OSError, ValueError) as error:
        raise BadDataset(f"{path} cannot be read: {error}") from error
    try:
        return _parse(document, folder / IMAGES)
    except (KeyError, TypeError, ValueError) as error:
        wrong = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadDataset(f"{path} is none that preprocess.py writes: {wrong}") from error


def records(dataset: Dataset) -> list[dict[str, Any]]:
    """Detectron2's standard dicts; ``category_id`` is the label, from 0."""
    return [
        {
            "file_name": str(image.file),
            "image_id": image.id,
            "height": image.height,
            "width": image.width,
            "annotations": [
                {
                    "bbox": [box.x, box.y, box.width, box.height],
                    "bbox_mode": XYWH_ABS,
                    "category_id": box.label,
                    "iscrowd": int(box.crowd),
                }
                for box in image.boxes
            ],
        }
        for image in dataset.images
    ]


def write(classes: Sequence[str], images: Iterable[Image], folder: Path) -> None:
    """Write annotations.json for images that lie below ``folder``/images already; it is there whole or not at all."""
    listed, annotations = [], []
    for image in images:
        name = image.file.relative_to(folder / IMAGES).as_posix()
        listed.append({"id": image.id, "file_name": name, "width": image.width, "height": image.height})
        for box in image.boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image.id,
                    "category_id": box.label + 1,
                    "bbox": [box.x, box.y, box.width, box.height],
                    "area": box.width * box.height,
                    "iscrowd": int(box.crowd),
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
    document = {"images": listed, "annotations": annotations, "categories": categories}
    partial = folder / f"{ANNOTATIONS}.partial"
    partial.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    partial.replace(folder / ANNOTATIONS)


def _parse(document: dict[str, Any], folder: Path) -> Dataset:
    """Raises KeyError, TypeError or ValueError for what ``write`` never writes."""
    categories = document["categories"]
    if [category["id"] for category in categories] != list(range(1, len(categories) + 1)):
        raise ValueError("ids of categories are not 1, 2, 3 and so on")
    classes = tuple(category["name"] for category in categories)
    twice = [name for name, count in Counter(classes).items() if count > 1 or not isinstance(name, str)]
    if twice:
        raise ValueError(f"the category {twice[0]!r} is there twice, or no text")
    if [image["id"] for image in document["images"]] != list(range(1, len(document["images"]) + 1)):
        raise ValueError("ids of images are not 1, 2, 3 and so on")
    boxes: list[list[Box]] = [[] for _ in document["images"]]
    for number, annotation in enumerate(document["annotations"], 1):
        image = annotation["image_id"]
        if annotation["id"] != number or not (isinstance(image, int) and 1 <= image <= len(boxes)):
            raise ValueError(f"annotation {number} has id {annotation['id']!r} and image_id {image!r}")
        boxes[image - 1].append(_box(annotation, len(classes)))
    images = tuple(_image(image, folder, tuple(boxes[image["id"] - 1])) for image in document["images"])
    return Dataset(classes, images)


def _box(annotation: dict[str, Any], classes: int) -> Box:
    category = annotation["category_id"]
    x, y, width, height = (float(number) for number in annotation["bbox"])
    if not isinstance(category, int) or not 1 <= category <= classes:
        raise ValueError(f"annotation {annotation['id']} has category_id {category!r}")
    if not all(map(math.isfinite, (x, y, width, height))) or min(x, y) < 0 or min(width, height) <= 0:
        raise ValueError(f"annotation {annotation['id']} has bbox {annotation['bbox']}")
    return Box(category - 1, x, y, width, height, annotation["iscrowd"] == 1)


def _image(image: dict[str, Any], folder: Path, boxes: tuple[Box, ...]) -> Image:
    name = PurePosixPath(image["file_name"])
    if name.is_absolute() or ".." in name.parts or not (folder / name).is_file():
        raise ValueError(f"there is no image {image['file_name']!r} in {folder}")
    width, height = image["width"], image["height"]
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise ValueError(f"image {image['file_name']!r} has width {width!r} and height {height!r}")
    for box in boxes:  # a thousandth of a pixel: sums of rounded numbers
        if box.x + box.width > width + 1e-3 or box.y + box.height > height + 1e-3:
            raise ValueError(f"a box of image {image['file_name']!r} reaches over its edge: {box}")
    return Image(folder / name, image["id"], width, height, boxes)
