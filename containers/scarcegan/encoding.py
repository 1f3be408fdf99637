"""Piecewise-linear encoding: each feature as how far a row has got through each of the feature's bins.

Networks see thresholds in it that they would have to learn from a single number (Gorishniy et al. 2022, "On
Embeddings for Numerical Features in Tabular Deep Learning"). Bins are quantiles of labelled training rows, of which
each class counts alike, so that they are narrow where classes differ. Numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

NAMES = ("encoding.feature", "encoding.low", "encoding.high")


@dataclass(frozen=True)
class Encoding:
    """One column per bin: the number of its feature, and where the bin begins and ends."""

    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, labels: np.ndarray, bins: int) -> Encoding:
        """``bins`` per feature, fewer where its values repeat; none for a feature that never changes."""
        columns = [_edges(values, labels, bins) for values in np.asarray(rows, np.float64).T]
        feature = [number for number, edges in enumerate(columns) for _ in edges[1:]]
        low, high = (
            np.concatenate([edges[part] for edges in columns]) for part in (slice(-1), slice(1, None))
        )
        return cls(np.array(feature, np.int32), low.astype(np.float32), high.astype(np.float32))

    @classmethod
    def nothing(cls) -> Encoding:
        """No columns, where arrays must be."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Encoding | None:
        """From a model's arrays; None if it has no encoding."""
        return cls(*(arrays[name] for name in NAMES)) if NAMES[0] in arrays else None

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(zip(NAMES, (self.feature, self.low, self.high), strict=True))

    def fits(self, columns: int) -> bool:
        """Whether it can encode rows of so many features."""
        same = self.feature.shape == self.low.shape == self.high.shape and self.low.size > 0
        return bool(
            same and 0 <= self.feature.min() <= self.feature.max() < columns and (self.low < self.high).all()
        )

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """float32 [rows, bins of all features], each from 0 (below its bin) to 1 (above)."""
        encoded = np.asarray(rows, np.float32)[:, self.feature]
        encoded -= self.low
        encoded /= self.high - self.low
        return np.clip(encoded, 0.0, 1.0, out=encoded)


def _edges(values: np.ndarray, labels: np.ndarray, bins: int) -> np.ndarray:
    """Quantiles of a mixture in which each class has the same share."""
    order = np.argsort(values, kind="stable")
    shares = (1.0 / np.bincount(labels)[labels])[order].cumsum()
    wanted = np.linspace(0.0, shares[-1], bins + 1)
    places = np.minimum(np.searchsorted(shares, wanted - 1e-9), len(values) - 1)
    # in float32, as rows come: edges that differ only beyond it would make a bin of no width
    return np.unique(values[order][places].astype(np.float32))
