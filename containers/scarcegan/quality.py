"""What is told about the data: quality.json, and the checks that no split knows rows of another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def class_sizes(
    rank: Array, label: Array, rows: Mapping[str, Array], classes: Sequence[str]
) -> dict[str, Any]:
    """Users and rows of each class in each split."""
    sizes: dict[str, Any] = {}
    for name, chosen in rows.items():
        if name == "unlabeled":
            continue
        inside = {each: chosen[label[chosen] == index] for index, each in enumerate(classes)}
        sizes[name] = {
            each: {"rows": len(some), "users": len(np.unique(rank[some]))} for each, some in inside.items()
        }
    return sizes


def leakage(users: Mapping[str, Array], data: Mapping[str, Array]) -> dict[str, Any]:
    """For each pair of splits: users that are in both, and rows of the second that equal one of the first.

    Equal rows of different users are no error (players who do nothing look alike), but what is measured on
    them says little.
    """
    prints = {name: _prints(rows) for name, rows in data.items()}
    names = list(users)
    return {
        f"{first}, {second}": {
            "users": len(np.intersect1d(users[first], users[second])),
            "equal_rows": int(np.isin(prints[second], prints[first]).sum()),
            "rows": len(prints[second]),
        }
        for index, first in enumerate(names)
        for second in names[index + 1 :]
    }


def outside(data: Array) -> dict[str, float]:
    """The share of scaled values below 0 and above 1: how far other rows are from those the scaler knows."""
    count = max(data.size, 1)
    return {"below": float((data < 0).sum() / count), "above": float((data > 1).sum() / count)}


def write(quality: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(quality, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "quality.json").write_text(text, encoding="utf-8")


def _prints(rows: Array) -> Array:
    """A number for each float32 row; equal rows have equal ones, and others as good as never."""
    bits = np.ascontiguousarray(rows + np.float32(0), np.float32).view(np.uint32)  # -0.0 is 0.0
    odd = np.random.default_rng(0).integers(0, 2**63, bits.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.zeros(len(bits), np.uint64)
    for column, factor in zip(bits.T, odd, strict=True):
        found = (found ^ (found >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15) + column * factor
    return found
