"""Many series on one time grid at once: the solver's steps on stacks of arrays, the Gram matrix made and split once.

The ridge block is diagonalised, so that its inverse is at hand for every ``v``; each series has its own ``v``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from solver import LEAST, NOISE, Problem, Solution, best_v, solve, violations

Array = np.ndarray[Any, Any]

_CHUNK = 256  # series whose matrices stay in the processor's cache
_MANY = 16  # fewer are quicker one by one
_CLOSE = 1e-8  # of log v between two steps
_STEPS, _RIDGE_STEPS = 40, 4
_TRUSTED = 1e-7  # a violation above it, and the series is solved by itself
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
    v, steps = best_v(squares, rows), np.zeros(count, int)
    for _ in range(_RIDGE_STEPS):  # as solver._from_above
        cost = squares - (moments[:, :size] ** 2 / (block.values + v[:, None])).sum(axis=1)
        v = best_v(np.maximum(cost, NOISE * squares), rows)
    log_v = np.log(v)
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
    beside = np.zeros((len(x), x.shape[1] + 2))
    for _ in range(6 * (x.shape[1] + 1)):
        arrived, slope = _towards(gram, target, penalty, x, signs, which)
        excess = np.abs(slope)
        excess[(excess <= allowed[which, None]) | (signs[which] != 0) | ~arrived[:, None]] = 0.0
        around = beside[: len(which)]
        around[:, 1:-1] = excess
        more = (excess > 0) & (excess >= around[:, :-2]) & (excess > around[:, 2:])
        signs[which] += more * np.sign(slope)
        which = which[~arrived | more.any(axis=1)]
        if not which.size:
            break
    return x


def _towards(
    gram: Array, target: Array, penalty: Array, x: Array, signs: Array, which: Array
) -> tuple[Array, Array]:
    """Move to the minimum with these signs, or to where the first of them would turn; tells who arrived.

    Returns the slopes of the quadratic part, too. ``x`` and ``signs`` change in place.
    """
    present = signs[which] != 0
    most = int(present.sum(axis=1).max())
    if not most:
        return np.ones(len(which), bool), target[which]
    columns = np.argsort(~present, axis=1, kind="stable")[:, :most]  # padded with absent ones
    real = np.take_along_axis(present, columns, 1)
    rows = which[:, None]
    wide = gram[rows, columns]
    some = np.take_along_axis(wide, columns[:, None, :], 2)
    some *= real[:, :, None] & real[:, None, :]
    some[:, np.arange(most), np.arange(most)] += ~real
    sign, old = signs[rows, columns], x[rows, columns]
    right = np.where(real, target[rows, columns] - penalty[rows] * sign, 0.0)
    new = np.linalg.solve(some, right[..., None])[..., 0]
    wrong = real & (new * sign <= 0)
    reach = np.where(wrong, old / np.where(wrong & (old != new), old - new, np.inf), 2.0)
    step = np.minimum(reach.min(axis=1, keepdims=True), 1.0)
    gone = reach <= step
    now = np.where(gone, 0.0, old + step * (new - old))
    x[rows, columns], signs[rows, columns] = now, np.where(gone, 0.0, sign)
    return ~wrong.any(axis=1), target[which] - np.matmul(now[:, None, :], wide)[:, 0]
