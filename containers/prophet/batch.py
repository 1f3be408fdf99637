"""Many series on one time grid at once: the solver's steps on stacks of arrays, the Gram matrix made and split once.

The ridge block is diagonalised, so that its inverse is at hand for every ``v``; each series has its own ``v``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from solver import LEAST, Problem, Solution, best_v, solve, violations

Array = np.ndarray[Any, Any]

_CHUNK = 128  # series whose matrices stay in the processor's cache
_CLOSE = 1e-8  # of log v between two steps
_STEPS = 40
_TRUSTED = 1e-7  # a violation above it, and the series is solved by itself
_TOO_LITTLE_NOISE = 1e-7  # of the mean square: below, the Gram matrix has too few digits left


def solve_many(problem: Problem) -> Iterator[Solution]:
    """One solution per row of ``problem.y`` (series x T), as ``solve`` would find it."""
    block = _Block(problem)
    for first in range(0, len(problem.y), _CHUNK):
        part = slice(first, first + _CHUNK)
        some = replace(problem, y=problem.y[part], moments=problem.moments[part], square=problem.square[part])
        yield from _solved(some, block)


def _solved(problem: Problem, block: _Block) -> Iterator[Solution]:
    y, rows = problem.y, problem.y.shape[1]
    ridge, hinges, v, steps = _descend(problem, block)
    residuals = y - np.hstack((ridge, hinges)) @ problem.features
    missed = violations(problem, ridge, hinges, v, residuals)
    well = (missed <= _TRUSTED) & (v > _TOO_LITTLE_NOISE * problem.square / rows)
    for each in range(len(y)):
        if well[each]:
            yield Solution(ridge[each], hinges[each], float(v[each]), float(missed[each]), int(steps[each]))
        else:
            alone = {"y": y[each], "moments": problem.moments[each], "square": float(problem.square[each])}
            yield solve(replace(problem, **alone))


class _Block:
    """The ridge block in its own axes: there its matrix is ``diag(values + v)`` for every v."""

    def __init__(self, problem: Problem) -> None:
        gram, size, scale = problem.gram, len(problem.precision), problem.precision**-0.5
        self.values, axes = np.linalg.eigh(gram[:size, :size] * np.outer(scale, scale))
        self.turn = scale[:, None] * axes
        self.cross = self.turn.T @ gram[:size, size:]
        self.hinges = gram[size:, size:]
        self.products = (self.cross[:, :, None] * self.cross[:, None, :]).reshape(size, -1)

    def at(self, v: Array, moments: Array) -> tuple[Array, Array, Array]:
        """The inverse's diagonal, and what is left for the hinges when the block is eliminated."""
        size = len(self.values)
        inverse = 1 / (self.values + v[:, None])
        count = self.hinges.shape[0]
        schur = self.hinges - (inverse @ self.products).reshape(len(v), count, count)
        return inverse, schur, moments[:, size:] - (inverse * moments[:, :size]) @ self.cross


def _descend(problem: Problem, block: _Block) -> tuple[Array, Array, Array, Array]:
    """Each series from the largest v down to its first fixed point, by secants where they are safe."""
    squares, rate, (count, rows) = problem.square, problem.rate, problem.y.shape
    size = len(problem.precision)
    moments = problem.moments.copy()
    moments[:, :size] = moments[:, :size] @ block.turn
    theta = np.zeros_like(moments)  # the ridge block's in its own axes
    log_v, steps = np.log(best_v(squares, rows)), np.zeros(count, int)
    before = np.full((2, count), np.nan)
    noise = 1e-13 * np.abs(problem.moments).max(axis=1)
    which = np.arange(count)
    while which.size and steps.max() < _STEPS:
        steps[which] += 1
        now, some = np.exp(log_v[which]), moments[which]
        inverse, schur, target = block.at(now, some)
        hinges = lasso_many(schur, target, now * rate, theta[which, size:], noise[which])
        ridge = inverse * (some[:, :size] - hinges @ block.cross.T)
        theta[which] = np.hstack((ridge, hinges))
        penalty = (ridge**2).sum(axis=1) + rate * np.abs(hinges).sum(axis=1)
        rss = squares[which] - (theta[which] * some).sum(axis=1) - now * penalty
        wanted = np.log(best_v(np.maximum(rss, 0.0), rows))
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = (wanted - before[1, which]) / (log_v[which] - before[0, which])
        change = (wanted - log_v[which]) / (1 - np.where(np.abs(slope) < 0.5, slope, 0.0))
        before[:, which] = log_v[which], wanted
        log_v[which] = np.maximum(log_v[which] + change, LEAST)
        which = which[np.abs(change) >= _CLOSE]
    return theta[:, :size] @ block.turn.T, theta[:, size:], np.exp(log_v), steps


def lasso_many(gram: Array, target: Array, penalty: Array, start: Array, noise: Array) -> Array:
    """``solver.lasso`` on a stack; a series that does not come to its end within bounds is left where it is."""
    x, signs = start.copy(), np.sign(start)
    allowed = penalty * (1 + 1e-9) + noise
    which = np.arange(len(x))
    for _ in range(6 * (x.shape[1] + 1)):
        arrived = which[_towards(gram, target, penalty, x, signs, which)]
        slope = target[arrived] - np.matmul(gram[arrived], x[arrived, :, None])[..., 0]
        excess = np.where(signs[arrived] == 0, np.abs(slope), 0.0)
        excess[excess <= allowed[arrived, None]] = 0.0
        beside = np.pad(excess, ((0, 0), (1, 1)))
        more = (excess > 0) & (excess >= beside[:, :-2]) & (excess > beside[:, 2:])
        signs[arrived] += more * np.sign(slope)
        settled = arrived[~more.any(axis=1)]
        if settled.size:
            which = np.setdiff1d(which, settled, assume_unique=True)
            if not which.size:
                break
    return x


def _towards(
    gram: Array,
    target: Array,
    penalty: Array,
    x: Array,
    signs: Array,
    which: Array,
) -> Array:
    """Move to the minimum with these signs, or to where the first of them would turn; tells who arrived."""
    present = signs[which] != 0
    most = int(present.sum(axis=1).max())
    if not most:
        return np.ones(len(which), bool)
    columns = np.argsort(~present, axis=1, kind="stable")[:, :most]
    real = np.take_along_axis(present, columns, 1)
    rows = which[:, None]
    some = gram[rows[:, :, None], columns[:, :, None], columns[:, None, :]]
    some *= real[:, :, None] & real[:, None, :]
    some[:, np.arange(most), np.arange(most)] += ~real
    sign, old = signs[rows, columns], x[rows, columns]
    right = np.where(real, target[rows, columns] - penalty[rows] * sign, 0.0)
    new = np.linalg.solve(some, right[..., None])[..., 0]
    wrong = real & (new * sign <= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = np.where(wrong, np.nan_to_num(old / (old - new)), 2.0)
    step = np.minimum(reach.min(axis=1, keepdims=True), 1.0)
    gone = (reach <= step) & wrong
    x[rows, columns] = np.where(gone, 0.0, old + step * (new - old))
    signs[rows, columns] = np.where(gone, 0.0, sign)
    return ~wrong.any(axis=1)
