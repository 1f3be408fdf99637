"""The folders between preprocessing and training: arrays without pickle, users beside them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scaling
from telemetry import CLASSES

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Made:
    """What preprocessing made; ``data`` (scaled), ``label`` and ``users`` by split: train, validation, test and
    unlabeled. Folds are row numbers within train, and within unlabeled."""

    scaler: scaling.Scaler
    data: dict[str, Array]
    label: dict[str, Array]
    users: dict[str, list[str]]
    folds: list[Array]
    unlabeled_folds: list[Array]


def write(made: Made, base: Path) -> None:
    """Write every output folder below ``base``."""
    meta = {"columns": list(made.scaler.columns), "classes": list(CLASSES)}
    scaling.save(made.scaler, base / "scaler_output" / "scaler.json")
    for split, name in (("train", "train_output"), ("validation", "val_output")):
        _write_data(base / f"{name}_data", made.data[split], meta)
        _write_label(base / f"{name}_label", made, split)
    _write_data(base / "test_output", made.data["test"], meta)
    _write_label(base / "test_output", made, "test")
    _write_data(base / "unlabeled_output_data", made.data["unlabeled"], meta)
    _write_users(base / "unlabeled_output_data", made.users["unlabeled"])
    for name, folds in (
        ("train_kfold_output_data", made.folds),
        ("unlabeled_kfold_output_data", made.unlabeled_folds),
    ):
        _write_meta(base / name, meta)
        for index, rows in enumerate(folds):
            np.save(base / name / f"fold_{index}.npy", rows.astype(np.int64))


def _write_data(folder: Path, data: Array, meta: dict[str, Any]) -> None:
    _write_meta(folder, meta)
    np.save(folder / "data.npy", np.ascontiguousarray(data, np.float32))


def _write_label(folder: Path, made: Made, split: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "label.npy", made.label[split])
    _write_users(folder, made.users[split])


def _write_users(folder: Path, users: Sequence[str]) -> None:
    with (folder / "users.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["user"])
        writer.writerows([user] for user in users)


def _write_meta(folder: Path, meta: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
