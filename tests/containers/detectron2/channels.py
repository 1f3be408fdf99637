"""A training job's channels as preprocessing leaves them: one bright square, red or blue, on each dark image."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image as Picture

CLASSES = ["red", "blue"]


def make(base, module, images=12, size=64, classes=CLASSES):
    """Writes ``base/input/data/{training,validation}``; the same arguments give the same data."""
    for number, channel in enumerate(("training", "validation")):
        count = images if channel == "training" else max(images // 3, 2)
        _write(base / "input/data" / channel, module("dataset"), count, size, classes, number)
    return base


def hosts(base, current, names=("algo-1", "algo-2"), interface="lo"):
    """Writes the job's resourceconfig.json."""
    folder = base / "input/config"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"current_host": current, "hosts": list(names), "network_interface_name": interface}
    (folder / "resourceconfig.json").write_text(json.dumps(content))


def _write(folder, dataset, count, size, classes, seed):
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images = []
    for number in range(1, count + 1):
        pixels = random.integers(0, 60, (size, size, 3), dtype=np.uint8)
        label = number % len(classes)
        side = int(random.integers(20, 32))
        x, y = (int(value) for value in random.integers(0, size - side, 2))
        pixels[y : y + side, x : x + side, 0 if label == 0 else 2] = 250
        file = folder / "images" / f"{number}.png"
        Picture.fromarray(pixels).save(file)
        box = dataset.Box(label, x, y, side, side)
        images.append(dataset.Image(file, number, size, size, (box,)))
    dataset.write(classes, images, folder)
