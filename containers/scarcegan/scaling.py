"""The scaler: each feature's logarithm, moved to 0 to 1 by what labelled training rows have. Numpy only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FORMAT = 1
TRANSFORMS = ("log1p", "none")


class BadScaler(Exception):
    """A scaler that cannot be read, or rows that do not fit it; the message says why."""


@dataclass(frozen=True)
class Scaler:
    """``minimum`` and ``maximum`` are of transformed values. ``counters`` names those of the raw telemetry that
    the columns are features of; empty where ready features came in."""

    columns: tuple[str, ...]
    minimum: Array
    maximum: Array
    transform: str = "log1p"
    counters: tuple[str, ...] = ()

    def __call__(self, values: Array) -> Array:
        """Rows [n, columns] as the networks take them: float32, 0 to 1 within the range that was fitted.

        Others lie outside of it. Raises BadScaler for another number of columns.
        """
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise BadScaler(f"rows of shape {values.shape}, but there are {len(self.columns)} columns")
        size = self.maximum - self.minimum
        scaled = (transformed(values, self.transform) - self.minimum) / np.where(size > 0, size, 1)
        return scaled.astype(np.float32)

    def pick(self, values: Array, columns: Sequence[str]) -> Array:
        """The scaler's columns, in its order, of rows that have ``columns``. Raises BadScaler for a missing one."""
        places = {column: index for index, column in enumerate(columns)}
        lacks = [column for column in self.columns if column not in places]
        if lacks:
            raise BadScaler(
                f"no column {', '.join(map(repr, lacks[:5]))} among {', '.join(map(repr, columns))}"
            )
        return values[:, [places[column] for column in self.columns]]

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "columns": list(self.columns),
            "minimum": self.minimum.tolist(),
            "maximum": self.maximum.tolist(),
            "transform": self.transform,
            "counters": list(self.counters),
        }


def transformed(values: Array, transform: str) -> Array:
    """``log1p`` is the logarithm of 1 plus the size, with the sign kept: slopes may fall."""
    values = np.asarray(values, np.float64)
    return np.copysign(np.log1p(np.abs(values)), values) if transform == "log1p" else values


def fit(values: Array, columns: Sequence[str], transform: str, counters: Sequence[str] = ()) -> Scaler:
    """Fit on labelled training rows, and on no others."""
    known = transformed(values, transform)
    return Scaler(tuple(columns), known.min(axis=0), known.max(axis=0), transform, tuple(counters))


def from_json(content: Mapping[str, Any]) -> Scaler:
    """Raises BadScaler."""
    try:
        if content["format"] != FORMAT or content["transform"] not in TRANSFORMS:
            raise BadScaler(f"format {content['format']!r}, transform {content['transform']!r}; known: {FORMAT}, "
                            f"{', '.join(TRANSFORMS)}")  # fmt: skip
        low, high = (np.array(content[name], np.float64) for name in ("minimum", "maximum"))
        scaler = Scaler(
            tuple(content["columns"]), low, high, content["transform"], tuple(content["counters"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadScaler(f"no scaler: {type(error).__name__}: {error}") from error
    if not low.shape == high.shape == (len(scaler.columns),) or not np.isfinite([low, high]).all():
        raise BadScaler(
            f"no scaler: {len(scaler.columns)} columns, {low.shape} minima and {high.shape} maxima"
        )
    return scaler


def load(file: Path) -> Scaler:
    """Raises BadScaler."""
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadScaler(f"{file} cannot be read: {error}") from error


def save(scaler: Scaler, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(scaler.as_json(), indent=1), encoding="utf-8")
