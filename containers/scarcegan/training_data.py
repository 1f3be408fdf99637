"""The training channels, read and checked before anything is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RISKY = "risky"
CHANNELS = ("train_data", "train_label", "kfold_data", "unlabeled_data", "unlabeled_kfold_data", "scaler")
VALIDATION = ("val_data", "val_label")  # for models without a fold
_SHOWN = 5


class BadData(Exception):
    """Data that cannot be trained on; the message says which channel and what to do."""


@dataclass(frozen=True)
class Part:
    """The rows that one model learns from, and those that it is judged on."""

    features: np.ndarray
    labels: np.ndarray
    unlabelled: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """All channels of a job. Folds hold the row numbers that a model of that fold does not learn from."""

    columns: list[str]
    classes: list[str]
    features: np.ndarray
    labels: np.ndarray
    unlabelled: np.ndarray
    folds: list[np.ndarray]
    unlabelled_folds: list[np.ndarray]
    scaler: dict[str, Any]
    validation: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def risky(self) -> int:
        return self.classes.index(RISKY)

    def part(self, fold: int | None) -> Part:
        """The rows of one fold's model; without a fold, all of them, which needs validation rows."""
        if fold is None:
            assert self.validation is not None
            return Part(self.features, self.labels, self.unlabelled, *self.validation)
        out = self.folds[fold]
        seen = np.delete(np.arange(len(self.features)), out)
        return Part(
            self.features[seen],
            self.labels[seen],
            np.delete(self.unlabelled, self.unlabelled_folds[fold], axis=0),
            self.features[out],
            self.labels[out],
        )

    def digest(self) -> str:
        """Of everything that is trained on."""
        made_from = hashlib.sha256(
            json.dumps([self.columns, self.classes, self.scaler], sort_keys=True).encode()
        )
        arrays = [self.features, self.labels, self.unlabelled, *self.folds, *self.unlabelled_folds]
        for array in [*arrays, *(self.validation or ())]:
            made_from.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return made_from.hexdigest()


def read(channels: Mapping[str, Path]) -> TrainingData:
    """Read and check the channels' folders. Raises BadData."""
    columns, classes, features = _table(channels["train_data"], "train_data")
    labels = _labels(channels["train_label"], "train_label", len(features), classes)
    others, _, unlabelled = _table(channels["unlabeled_data"], "unlabeled_data")
    _same_columns(columns, others, "unlabeled_data")
    scaler = _scaler(channels["scaler"])
    _same_columns(columns, scaler.get("columns", []), "scaler")
    validation = None
    if all(name in channels for name in VALIDATION):
        others, _, rows = _table(channels["val_data"], "val_data")
        _same_columns(columns, others, "val_data")
        validation = (rows, _labels(channels["val_label"], "val_label", len(rows), classes))
    data = TrainingData(
        columns, classes, features, labels, unlabelled,
        _folds(channels["kfold_data"], "kfold_data", len(features)),
        _folds(channels["unlabeled_kfold_data"], "unlabeled_kfold_data", len(unlabelled)),
        scaler, validation,
    )  # fmt: skip
    _check(data)
    return data


def _check(data: TrainingData) -> None:
    k = len(data.folds)
    if len(data.unlabelled_folds) != k:
        raise BadData(
            f"kfold_data has {k} folds, unlabeled_kfold_data {len(data.unlabelled_folds)}: must be equal"
        )
    for number, name in enumerate(data.classes):
        count = int((data.labels == number).sum())
        if count < max(k, 2):
            raise BadData(f"class {name} has {count} labelled rows, {k} folds need at least {max(k, 2)}")
        for fold, rows in enumerate(data.folds):
            inside = int((data.labels[rows] == number).sum())
            if inside in (0, count):
                raise BadData(f"kfold_data: fold {fold} has {inside} of the {count} rows of class {name}")
    if not len(data.unlabelled) > max(len(rows) for rows in data.unlabelled_folds):
        raise BadData("unlabeled_data: a fold leaves no rows to learn from")
    low = np.minimum(data.features.min(axis=0), data.unlabelled.min(axis=0))
    high = np.maximum(data.features.max(axis=0), data.unlabelled.max(axis=0))
    if constant := [name for name, same in zip(data.columns, low == high, strict=True) if same]:
        raise BadData(f"features that never change teach nothing, leave them out: {_some(constant)}")


def _table(folder: Path, channel: str) -> tuple[list[str], list[str], np.ndarray]:
    """Columns, classes and rows of one channel."""
    rows = _array(folder / "data.npy", channel)
    meta = _json(folder / "meta.json", channel)
    columns, classes = (list(map(str, meta.get(key, []))) for key in ("columns", "classes"))
    if rows.dtype.kind != "f":
        raise BadData(f"{channel}: data.npy holds {rows.dtype}, not floating-point numbers")
    if rows.ndim != 2 or rows.shape[1] != len(columns) or not rows.size:
        raise BadData(f"{channel}: data.npy has shape {rows.shape}, meta.json names {len(columns)} columns")
    if classes.count(RISKY) != 1 or len(set(classes)) < max(2, len(classes)):
        raise BadData(
            f"{channel}: meta.json has classes {classes}, needs different ones, one of them {RISKY!r}"
        )
    if not np.isfinite(rows).all():
        wrong = [
            name for name, whole in zip(columns, np.isfinite(rows).all(axis=0), strict=True) if not whole
        ]
        first = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise BadData(f"{channel}: NaN or infinite values in {_some(wrong)}, first in row {first}")
    return columns, classes, np.ascontiguousarray(rows, np.float32)


def _labels(folder: Path, channel: str, rows: int, classes: list[str]) -> np.ndarray:
    labels = _array(folder / "label.npy", channel)
    if labels.dtype.kind not in "iu" or labels.shape != (rows,):
        raise BadData(f"{channel}: label.npy is {labels.dtype} {labels.shape}, needs whole numbers ({rows},)")
    if strange := sorted(set(labels.tolist()) - set(range(len(classes)))):
        raise BadData(f"{channel}: label.npy holds {strange[:_SHOWN]}, classes are 0 to {len(classes) - 1}")
    return labels.astype(np.int32)


def _folds(folder: Path, channel: str, rows: int) -> list[np.ndarray]:
    names = [folder / f"fold_{number}.npy" for number in range(len(list(_listed(folder, channel))))]
    folds = [_array(path, channel) for path in names]
    if len(folds) < 2:
        raise BadData(f"{channel}: {len(folds)} files fold_0.npy, fold_1.npy, ...; at least 2 are needed")
    for path, fold in zip(names, folds, strict=True):
        if fold.dtype.kind not in "iu" or fold.ndim != 1:
            raise BadData(f"{channel}: {path.name} is {fold.dtype} {fold.shape}, needs a list of row numbers")
    together = np.concatenate(folds)
    if not np.array_equal(np.sort(together), np.arange(rows)):
        raise BadData(
            f"{channel}: folds hold {len(together)} row numbers, must hold each of 0 to {rows - 1} once"
        )
    return folds


def _scaler(folder: Path) -> dict[str, Any]:
    return _json(folder / "scaler.json", "scaler")


def _listed(folder: Path, channel: str) -> list[Path]:
    if not folder.is_dir():
        raise BadData(f"channel {channel} is missing: there is no folder {folder}")
    return sorted(folder.glob("fold_*.npy"))


def _array(path: Path, channel: str) -> np.ndarray:
    if not path.parent.is_dir():
        raise BadData(f"channel {channel} is missing: there is no folder {path.parent}")
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadData(f"{channel}: {path.name} cannot be read ({error})") from error


def _json(path: Path, channel: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"{channel}: {path.name} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise BadData(f"{channel}: {path.name} is not a JSON object")
    return content


def _same_columns(columns: list[str], others: list[str], channel: str) -> None:
    if columns == others:
        return
    missing, more = [c for c in columns if c not in others], [c for c in others if c not in columns]
    told = [f"lacks {_some(missing)}"] * bool(missing) + [f"has besides {_some(more)}"] * bool(more)
    raise BadData(f"{channel}: other columns than train_data: {'; '.join(told) or 'another order'}")


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
