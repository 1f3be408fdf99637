"""Quantiles of noise plus changes of a trend's rate, computed from their characteristic function.

Each future row changes the rate with probability ``p`` by a Laplace variable of scale ``b``, which moves the
j-th row from there on by (j - 1/2) of it. All are independent and symmetric, so the sum at row n has the
characteristic function

    phi(w) = exp(-(sigma w)^2 / 2) * product over j <= n of (1 - p + p / (1 + (b (j - 1/2) w)^2))

and P(|sum| <= h) = 2/pi * integral over w > 0 of phi(w) sin(h w) / w, which the midpoint rule gives to
nearly all digits. P is concave in h, so that Newton's method finds every quantile.

With hardly any noise phi has no end: then no change and a single change are counted by their own formulas,
and what is left is integrated as if it had a little more noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_TAIL = 1e-11  # a probability that may be neglected
_SHARP = 0.02  # the least noise, as a share of the largest change, with which phi is integrated
_SINGLES = 512  # rows up to which a single change is counted apart, where there is less noise than that
_CELLS = 400_000  # numbers held at once


@dataclass(frozen=True)
class Future:
    """What is random about the future rows, in scaled values.

    Row ``i`` has noise of ``sigma[i]`` and ``i + 1`` possible changes, of the scales ``moved[:i + 1]``, each
    of which is there with ``probability``.
    """

    probability: float
    moved: Array
    sigma: Array

    @property
    def spread(self) -> Array:
        """The standard deviation of the sum of all changes, at each row."""
        return np.sqrt(2 * self.probability * np.cumsum(self.moved**2))


def half_widths(future: Future, rows: Array, width: float) -> Array:
    """The half width at each of these rows."""
    found = np.empty(len(rows))
    blurred = np.maximum(future.sigma, _SHARP * future.moved)[rows]
    total = np.hypot(future.sigma, future.spread)[rows]
    for chosen in _alike(blurred, total):
        omega, step = _frequencies(future, rows[chosen], blurred[chosen], total[chosen], width)
        for part, changes in _products(future, rows[chosen], omega):
            some = chosen[part]
            law = _Law(future, rows[some], blurred[some], omega, step, changes)
            found[some] = law.solve(width, total[some])
    return found


def _alike(blurred: Array, total: Array) -> Iterator[Array]:
    """The rows in groups that need about the same frequencies."""
    octaves = [np.floor(np.log2(sizes / sizes.min()) / 2) for sizes in (blurred, total)]
    kinds = 1000 * octaves[0] + octaves[1]
    if not kinds.any():
        yield np.arange(len(kinds))
        return
    for kind in np.unique(kinds):
        yield np.flatnonzero(kinds == kind)


def _frequencies(
    future: Future, rows: Array, blurred: Array, total: Array, width: float
) -> tuple[Array, float]:
    """Where to evaluate phi: so densely that no probability wraps around, so far that nothing is left."""
    # Chebyshev's inequality bounds the quantile itself
    widest = _tail(future.probability, future.moved[: rows[-1] + 1], blurred.max(), total.max())
    step = 2 * np.pi / (widest + total.max() / math.sqrt(1 - width))
    end = math.sqrt(-2 * math.log(_TAIL)) / blurred.min()
    if end > 64 * step:  # the changes may have damped everything before
        ends = np.geomspace(step, end, 40)
        changes = _factors(future.probability, future.moved[: rows[0] + 1], ends).prod(axis=0)
        small = np.exp(-0.5 * (blurred.min() * ends) ** 2) * changes < _TAIL
        end = ends[np.argmax(small)] if small.any() else end
    return (np.arange(math.ceil(end / step)) + 0.5) * step, step


def _tail(probability: float, moved: Array, sigma: float, total: float) -> float:
    """Some x with P(|sum| > x) <= _TAIL: the best of a few of Chernoff's bounds."""
    needed = math.log(2 / _TAIL)
    tilt = min(1 / moved[-1], math.sqrt(2 * needed) / total) * np.array([0.3, 0.6, 0.8, 0.95])
    growth = 1 / (1 - np.multiply.outer(moved, tilt) ** 2) - 1
    logarithm = 0.5 * (sigma * tilt) ** 2 + np.log1p(probability * growth).sum(axis=0)
    return float(((logarithm + needed) / tilt).min())


def _products(future: Future, rows: Array, omega: Array) -> Iterator[tuple[Array, Array]]:
    """The changes' part of phi at these rows, block by block: which of ``rows``, and one line for each."""
    block = max(_CELLS // len(omega), 1)
    so_far = np.ones(len(omega))
    for begin in range(0, int(rows[-1]) + 1, block):
        scales = future.moved[begin : min(begin + block, int(rows[-1]) + 1)]
        factors = _factors(future.probability, scales, omega)
        factors[0] *= so_far
        products = np.multiply.accumulate(factors, axis=0)
        so_far = products[-1]
        inside = np.flatnonzero((rows >= begin) & (rows < begin + block))
        if len(inside):
            yield inside, products[rows[inside] - begin]


def _factors(probability: float, moved: Array, omega: Array) -> Array:
    """What each possible change contributes to phi, at each frequency."""
    return 1 - probability + probability / (1 + np.multiply.outer(moved, omega) ** 2)


class _Law:
    """P(|sum| <= h) and its slope at some rows."""

    def __init__(
        self, future: Future, rows: Array, blurred: Array, omega: Array, step: float, changes: Array
    ) -> None:
        self._sigma = future.sigma[rows]
        self._still = (1 - future.probability) ** (rows + 1.0)
        self._omega = omega
        self._scales = np.empty((len(rows), 0))
        rest = changes - self._still[:, None]
        if (blurred > self._sigma).any() and rows[-1] < _SINGLES:
            self._scales = np.tile(future.moved[: rows[-1] + 1], (len(rows), 1))
            reaches = np.arange(rows[-1] + 1) <= rows[:, None]
            single = future.probability * (1 - future.probability) ** rows.astype(float)
            self._single = np.where(reaches, single[:, None], 0.0)
            rest = rest - self._single @ (1 / (1 + np.multiply.outer(self._scales[0], omega) ** 2))
        gauss = np.exp(-0.5 * np.multiply.outer(blurred, omega) ** 2)
        self._weights = rest * gauss * (2 / np.pi * step)

    def solve(self, width: float, total: Array) -> Array:
        """The h with P(|sum| <= h) = width."""
        normal = NormalDist().inv_cdf((1 + width) / 2)
        least = self._sigma * normal  # noise alone: whatever is added makes it wider
        half = np.maximum(total * normal, least)
        for _ in range(60):
            reached, slope = self._at(half)
            better = np.maximum(half + (width - reached) / slope, least)
            moved = np.abs(better - half)
            half = better
            if (moved <= 1e-10 * half).all():
                break
        return half

    def _at(self, half: Array) -> tuple[Array, Array]:
        angles = np.multiply.outer(half, self._omega)
        z = half / self._sigma
        reached = self._still * [math.erf(value / math.sqrt(2)) for value in z.tolist()]
        reached += (self._weights / self._omega * np.sin(angles)).sum(axis=1)
        slope = self._still * np.exp(-0.5 * z * z) * (math.sqrt(2 / math.pi) / self._sigma)
        slope += (self._weights * np.cos(angles)).sum(axis=1)
        if self._scales.size:
            # the noise around a single change, in three points
            for place, weight in ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6)):
                at = (half + place * self._sigma)[:, None]
                beyond = np.exp(-np.abs(at) / self._scales)
                reached += weight * (self._single * np.sign(at) * (1 - beyond)).sum(axis=1)
                slope += weight * (self._single * beyond / self._scales).sum(axis=1)
        return reached, slope
