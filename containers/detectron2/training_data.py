"""What a job learns from and is measured on: the channels training and validation, checked."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import dataset
from dataset import BadDataset, Dataset


def read(training: Path, validation: Path) -> tuple[Dataset, Dataset]:
    """Raises BadDataset, also when there is nothing to learn or to measure in them."""
    learned, measured = (_read(name, folder) for name, folder in
                         (("training", training), ("validation", validation)))  # fmt: skip
    if learned.classes != measured.classes:
        raise BadDataset(
            f"channel training has the classes {', '.join(learned.classes)}, and validation "
            f"{', '.join(measured.classes)}: take both from one run of preprocess.py"
        )
    counts = Counter(box.label for image in learned.images for box in image.boxes if not box.crowd)
    missing = [name for label, name in enumerate(learned.classes) if not counts[label]]
    if missing:
        raise BadDataset(
            f"channel training has no box of the class {', '.join(missing)}, which so cannot be learned: add images "
            f"with it, or leave it out of the categories"
        )
    if not any(not box.crowd for image in measured.images for box in image.boxes):
        raise BadDataset(
            f"channel validation has {len(measured.images)} images and no box, so testing_ap cannot be measured: "
            f"give preprocess.py more images, or a larger share for validation"
        )
    return learned, measured


def digest(data: Dataset) -> str:
    """Of classes, boxes, names and sizes of all images, whatever folder they lie in."""
    found = hashlib.sha256(repr(data.classes).encode())
    for image in data.images:
        told = (image.file.name, image.file.stat().st_size, image.width, image.height, image.boxes)
        found.update(repr(told).encode())
    return found.hexdigest()


def _read(channel: str, folder: Path) -> Dataset:
    if not folder.is_dir():
        raise BadDataset(f"channel {channel} is missing: there is no folder {folder}")
    return dataset.read(folder)
