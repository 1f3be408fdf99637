"""A training job's channels as preprocessing leaves them: four small clouds, of which the last is risky."""

from __future__ import annotations

import json

import numpy as np

CLASSES = ["dormant", "normal", "heavy", "risky"]


def make(base, columns=6, sizes=(80, 70, 60, 40), unlabelled=1000, folds=4):
    """Writes ``base/input/data``; the same arguments give the same data."""
    random = np.random.default_rng(0)
    centres = random.random((len(sizes), columns))
    labels = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    drawn = random.integers(0, len(sizes), unlabelled)
    rows, others = (cloud(random, centres, classes) for classes in (labels, drawn))
    meta = {"columns": [f"f{number}" for number in range(columns)], "classes": CLASSES[-len(sizes) :]}
    place = np.empty(len(labels), int)
    for number in range(len(sizes)):
        place[labels == number] = np.arange(sizes[number]) % folds
    put(base, "train_data", meta, data=rows)
    put(base, "train_label", meta, label=labels.astype(np.int32))
    put(base, "unlabeled_data", meta, data=others)
    put(base, "kfold_data", meta, **{f"fold_{k}": np.flatnonzero(place == k) for k in range(folds)})
    parts = {f"fold_{k}": np.arange(k, unlabelled, folds) for k in range(folds)}
    put(base, "unlabeled_kfold_data", meta, **parts)
    scaler = {"columns": meta["columns"], "minimum": [0.0] * columns, "maximum": [1.0] * columns}
    put(base, "scaler", scaler | {"transform": "none"})
    (base / "input/data/scaler/meta.json").rename(base / "input/data/scaler/scaler.json")
    return base


def cloud(random, centres, classes):
    spread = random.normal(size=(len(classes), centres.shape[1]))
    return np.clip(centres[classes] + 0.15 * spread, 0, 1).astype(np.float32)


def put(base, channel, meta, **arrays):
    folder = base / "input/data" / channel
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps(meta))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def change(base, channel, name, function):
    """Replace one array by what ``function`` makes of it."""
    path = base / "input/data" / channel / f"{name}.npy"
    np.save(path, function(np.load(path)))


def change_meta(base, channel, **values):
    path = base / "input/data" / channel / ("scaler.json" if channel == "scaler" else "meta.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
