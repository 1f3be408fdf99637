"""Many series on one time grid at once, the Gram matrix made and split once.

The ridge block is diagonalised, so that its inverse is at hand for every ``v``; each series has its own ``v``. As the
hinges' penalty falls together with ``v``, their minimum moves along straight lines that bend where a hinge comes in or
goes out (the lasso's path), and RSS is a parabola between two bends. So the first fixed point from above is found by
walking down the path: at the bend before it, it is the root of a quadratic equation. What the ridge block's own penalty
changes on the way is small and put right at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from solver import NOISE, Problem, Solution, best_v, solve, violations

Array = np.ndarray[Any, Any]

_CHUNK = 512  # series at once: fewer make more calls, more take more memory
_MANY = 16  # fewer are quicker one by one
_CORRECTIONS = 4
_BENDS = 6  # so many times the number of hinges, then one is left where it is
_PARALLEL = 1e-12
_TRUSTED = 1e-8  # a violation above it, and the series is solved by itself
_TOO_LITTLE_NOISE = 1e-7  # of the mean square: below, the Gram matrix has too few digits left


def solve_many(problem: Problem) -> Iterator[Solution]:
    """One solution per row of ``problem.y`` (series x T), as ``solve`` would find it."""
    block = None
    for first in range(0, len(problem.y), _CHUNK):
        some = _part(problem, slice(first, first + _CHUNK))
        if len(some.y) < _MANY:
            yield from (solve(_part(some, each)) for each in range(len(some.y)))
        else:
            block = block or _Block(problem)
            yield from _together(some, block)


def _part(problem: Problem, which: slice | int) -> Problem:
    return replace(problem, y=problem.y[which], moments=problem.moments[which], square=problem.square[which])


def _together(problem: Problem, block: _Block) -> Iterator[Solution]:
    y, rows = problem.y, problem.y.shape[1]
    ridge, hinges, v, steps = _descend(problem, block)
    residuals = y - np.hstack((ridge, hinges)) @ problem.features
    missed = violations(problem, ridge, hinges, v, residuals)
    well = (missed <= _TRUSTED) & (v > _TOO_LITTLE_NOISE * problem.square / rows)
    for each in range(len(y)):
        if well[each]:
            yield Solution(ridge[each], hinges[each], float(v[each]), float(missed[each]), int(steps[each]))
        else:
            yield solve(_part(problem, each))


class _Block:
    """The ridge block in its own axes: there its matrix is ``diag(values + v)`` for every v."""

    def __init__(self, problem: Problem) -> None:
        gram, size, scale = problem.gram, len(problem.precision), problem.precision**-0.5
        self.values, axes = np.linalg.eigh(gram[:size, :size] * np.outer(scale, scale))
        self.turn = scale[:, None] * axes
        self.cross = self.turn.T @ gram[:size, size:]
        self.hinges = gram[size:, size:]
        self.inverse = np.linalg.pinv(gram, hermitian=True)
        self.products = (self.cross[:, :, None] * self.cross[:, None, :]).reshape(size, -1)

    def without_ridge(self, v: Array, moments: Array) -> tuple[Array, Array]:
        """What is left for the hinges when the block is eliminated: a Gram matrix and moments."""
        size = len(self.values)
        inverse = 1 / (self.values + v[:, None])
        count = self.hinges.shape[0]
        schur = self.hinges - (inverse @ self.products).reshape(len(v), count, count)
        return schur, moments[:, size:] - (inverse * moments[:, :size]) @ self.cross


def _descend(problem: Problem, block: _Block) -> tuple[Array, Array, Array, Array]:
    """Each series from the largest v down to its first fixed point: coefficients, v, bends passed."""
    squares, rate, rows, size = problem.square, problem.rate, problem.y.shape[1], len(problem.precision)
    moments = problem.moments.copy()
    moments[:, :size] = moments[:, :size] @ block.turn
    of_ridge, of_hinges = moments[:, :size], moments[:, size:]
    with_hinges = squares - (problem.moments @ block.inverse * problem.moments).sum(axis=1)
    least = best_v(np.maximum(with_hinges, NOISE * squares), rows)  # about what v will be
    without = squares - (of_ridge**2 / (block.values + least[:, None])).sum(axis=1)
    path = Path(*block.without_ridge(least, moments))
    path.descend(np.maximum(without, NOISE * squares), rows, rate)
    x, v = path.x, path.penalty / rate
    for _ in range(_CORRECTIONS):
        ridge = (of_ridge - x @ block.cross.T) / (block.values + v[:, None])
        slope = of_hinges - x @ block.hinges - ridge @ block.cross
        rss = (
            squares
            - (ridge * (of_ridge + v[:, None] * ridge)).sum(axis=1)
            - (x * (of_hinges + slope)).sum(axis=1)
        )
        rss = np.maximum(rss, NOISE * squares)
        steepness = 2 * path.curvature * (rate * v) ** 2 / rss  # of log RSS by log v
        v = v + (best_v(rss, rows) - v) / (1 - np.minimum(steepness, 0.9))
        x = x + path.changed(slope - (rate * v)[:, None] * path.signs)
    ridge = (of_ridge - x @ block.cross.T) / (block.values + v[:, None])
    return ridge @ block.turn.T, x, v, path.bends


class Path:
    """The minima of x' gram x / 2 - target' x + penalty |x|, a stack of them, each at its own penalty.

    ``swept`` is the Gram matrix after Gauss-Jordan steps at all x that are not zero: minus the inverse where row and
    column are such ones, their Schur complement where neither is. It overwrites ``gram``. On the last stretch RSS is
    ``curvature`` times the penalty squared, and a constant.
    """

    def __init__(self, gram: Array, target: Array) -> None:
        self.swept, self.target = gram, target
        self.x, self.signs = np.zeros_like(target), np.zeros_like(target)
        self.penalty, self.curvature = np.abs(target).max(axis=1, initial=0.0), np.zeros(len(target))
        self.bends = np.zeros(len(target), int)

    def descend(self, rss: Array, rows: int, rate: float) -> None:
        """Down to where penalty / rate is the best variance; ``rss`` is that without hinges."""
        self.penalty = np.maximum(self.penalty, rate * best_v(rss, rows))
        which, swept, slope = np.arange(len(rss)), self.swept.copy(), self.target
        spare = np.empty_like(swept)  # fresh memory for each product would cost more than the product
        x, signs, penalty = self.x, self.signs, self.penalty
        if not slope.size:
            return
        for bends in range(_BENDS * (slope.shape[1] + 1)):
            way, fall, curvature = _directions(swept, signs)
            # where the best variance of RSS = constant + curvature penalty^2 is penalty / rate
            constant, linear = rss - curvature * penalty**2, rows / rate
            root = np.sqrt(np.maximum(linear**2 + 4 * (4 / rate**2 - curvature) * constant, 0.0))
            end = np.maximum(penalty - 2 * constant / (linear + root), 0.0)
            bend = _distances(x, signs, slope, penalty, way, fall)
            first = bend.argmin(axis=1)
            bend = bend[np.arange(len(first)), first]
            on = bend < end
            far = np.where(on, bend, end)
            x, slope = x + far[:, None] * way, slope - far[:, None] * fall
            rss, penalty = rss - curvature * far * (2 * penalty - far), penalty - far
            if not on.all():
                there = which[~on]
                self.x[there], self.signs[there], self.swept[there] = x[~on], signs[~on], swept[~on]
                self.penalty[there], self.curvature[there] = penalty[~on], curvature[~on]
                self.bends[there] = bends
                which, first, slope, x = which[on], first[on], slope[on], x[on]
                signs, penalty, rss = signs[on], penalty[on], rss[on]
                if not which.size:
                    break
                np.take(swept, on.nonzero()[0], axis=0, out=spare[: len(which)], mode="clip")
                swept, spare = spare[: len(which)], swept
            _turn(swept, x, signs, slope, first, spare[: len(which)])

    def changed(self, slope: Array) -> Array:
        """By how much the x that are not zero change with these slopes of theirs."""
        present = self.signs != 0
        return np.where(present, -_times(self.swept, np.where(present, slope, 0.0)), 0.0)


def _times(matrices: Array, vectors: Array) -> Array:
    return np.matmul(matrices, vectors[:, :, None])[:, :, 0]


def _directions(swept: Array, signs: Array) -> tuple[Array, Array, Array]:
    """For each unit by which the penalty falls: how x grows, how slopes fall, and what RSS loses."""
    present, product = signs != 0, _times(swept, signs)
    way = np.where(present, -product, 0.0)
    return way, np.where(present, signs, product), (signs * way).sum(axis=1)


def _distances(x: Array, signs: Array, slope: Array, penalty: Array, way: Array, fall: Array) -> Array:
    """By how much the penalty may fall until an x is zero, or a slope as large as the penalty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(fall < 1 - _PARALLEL, (penalty[:, None] - slope) / (1 - fall), np.inf)
        down = np.where(fall > _PARALLEL - 1, (penalty[:, None] + slope) / (1 + fall), np.inf)
        out = np.where(way * signs < 0, -x / way, np.inf)
    return np.maximum(np.where(signs != 0, out, np.minimum(up, down)), 0.0)


def _turn(swept: Array, x: Array, signs: Array, slope: Array, first: Array, product: Array) -> None:
    """Take one x of each in or out: a Gauss-Jordan step, or its inverse, in place; ``product`` is for its use."""
    each = np.arange(len(first))
    enters = signs[each, first] == 0
    signs[each, first] = np.where(enters, np.sign(slope[each, first]), 0.0)
    x[each, first] = 0.0
    row = swept[each, first]
    pivot = row[each, first]
    share = row / pivot[:, None]
    np.multiply(share[:, :, None], row[:, None, :], out=product)
    swept -= product
    share = np.where(enters[:, None], share, -share)
    share[each, first] = -1 / pivot
    swept[each, first] = share
    swept[each, :, first] = share
