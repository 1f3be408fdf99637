"""The maximum of Prophet's posterior for linear trends and additive terms: a lasso, solved exactly.

With the data scaled, ``z`` the features (rate, offset, regressors | one hinge per changepoint), ``v`` the variance:

    -log p = T/2 log v + RSS/(2 v) + 2 v + sum(ridge^2 / (2 scale^2)) + sum(|hinge|) / tau

At a given ``v`` this is convex: ridge on the first block, L1 on the second, and only the Gram matrix of ``z`` is
needed. The first block is eliminated (Schur complement), the second solved by an active set. The best ``v`` for a
given RSS has a closed form, and RSS grows with ``v``: so from the largest possible ``v`` downwards one fixed point
after the other would be met, and the first is taken. That is the one with the most noise. Where there are fewer
rows than columns the density has no maximum at all (it grows without bound as the noise goes to nothing), and this
first one is what is meant; with many rows there is no other (benchmarks/prophet_quality.py looks for it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dposv

Array = np.ndarray[Any, Any]

SMALLEST = 1e-18  # of v: Prophet's sigma of a series without noise is 1e-9
LEAST = float(np.log(SMALLEST))
_CLOSE = 1e-6  # of log v between two steps; the polish does the rest
_STEPS, _POLISHES, _RIDGE_STEPS = 200, 8, 2
NOISE = 1e-12  # of y @ y: below, sums of the Gram matrix are rounding


@dataclass(frozen=True)
class Problem:
    """One series, or several on one grid: ``features`` (p x T), ``y``, their products, and the two priors."""

    features: Array
    y: Array  # T, or series x T
    gram: Array  # p x p
    moments: Array  # p: features @ y; or series x p
    square: Any  # y @ y; or one each
    precision: Array  # of the ridge block, one number per column of it; the other columns are hinges
    rate: float  # 1 / tau


@dataclass(frozen=True)
class Solution:
    """``violation``: by how much the conditions of a maximum are missed, in standard errors of a coefficient."""

    ridge: Array
    hinges: Array
    v: float
    violation: float
    steps: int


def best_v(rss: Array, rows: int) -> Array:
    """The variance with the highest density, given the sum (or sums) of squared residuals."""
    return np.maximum(2 * rss / (rows + np.sqrt(rows * rows + 16 * rss)), SMALLEST)


def solve(problem: Problem) -> Solution:
    """The first stationary point from above; see the module's docstring."""
    rows, hinges = len(problem.y), np.zeros(len(problem.moments) - len(problem.precision))
    log_v, before, steps = float(np.log(_from_above(problem))), None, 0
    while steps < _STEPS:
        steps += 1
        v = float(np.exp(log_v))
        ridge, hinges = at(problem, v, hinges)
        wanted = float(np.log(best_v(_rss(problem, ridge, hinges, v), rows)))
        slope = 0.0
        if before and log_v != before[0]:
            slope = (wanted - before[1]) / (log_v - before[0])
        # a secant's step; where RSS falls as fast as v, it might leap over the first fixed point
        change = (wanted - log_v) / (1 - slope) if abs(slope) < 0.5 else wanted - log_v
        before, log_v = (log_v, wanted), max(log_v + change, LEAST)
        if abs(change) < _CLOSE or log_v == wanted == LEAST:
            break
    return _polished(problem, ridge, hinges, steps)


def _from_above(problem: Problem) -> float:
    """A variance not below any fixed point: each step of the problem without hinges keeps to that side."""
    size, rows = len(problem.precision), len(problem.y)
    moments, v = problem.moments[:size], float(best_v(problem.square, rows))
    for _ in range(_RIDGE_STEPS):
        block = problem.gram[:size, :size].copy()
        block.flat[:: size + 1] += v * problem.precision
        cost = problem.square - moments @ _solved(block, moments)  # RSS and the prior's part
        v = float(best_v(max(cost, NOISE * problem.square), rows))
    return v


def at(problem: Problem, v: float, hinges: Array) -> tuple[Array, Array]:
    """The coefficients at this variance; ``hinges`` is where to start."""
    size = len(problem.precision)
    block = problem.gram[:size, :size].copy()
    block.flat[:: size + 1] += v * problem.precision
    rest = np.column_stack((problem.gram[:size, size:], problem.moments[:size]))
    eliminated = _solved(block, rest)
    cross = problem.gram[size:, :size]
    schur = problem.gram[size:, size:] - cross @ eliminated[:, :-1]
    target = problem.moments[size:] - cross @ eliminated[:, -1]
    hinges = lasso(schur, target, v * problem.rate, hinges, 1e-13 * float(np.abs(problem.moments).max()))
    return eliminated[:, -1] - eliminated[:, :-1] @ hinges, hinges


def lasso(gram: Array, target: Array, penalty: float, start: Array, noise: float) -> Array:
    """The minimum of x' gram x / 2 - target' x + penalty |x|, by an active set whose objective always falls."""
    x = start.copy()
    active = x.nonzero()[0]
    signs = np.sign(x[active])
    allowed = penalty * (1 + 1e-9) + noise
    for _ in range(50 * (len(x) + 1)):
        while active.size:
            new = _solved(gram[active[:, None], active], target[active] - penalty * signs)
            wrong = new * signs <= 0
            if not wrong.any():
                x[active] = new
                break
            old = x[active]
            moved = np.where(wrong & (old != new), old - new, np.inf)
            reach = np.where(wrong, old / moved, 2.0)
            step = reach.min()
            x[active] = old + step * (new - old)
            gone = reach <= step
            x[active[gone]] = 0.0
            active, signs = active[~gone], signs[~gone]
        slope = target - gram[:, active] @ x[active]
        excess = np.abs(slope)
        excess[active] = 0.0
        excess[excess <= allowed] = 0.0
        if not excess.any():
            return x
        # the worst of each run of neighbours: hinges side by side are much alike
        beside = np.concatenate(((0.0,), excess, (0.0,)))
        more = np.flatnonzero((excess > 0) & (excess >= beside[:-2]) & (excess > beside[2:]))
        active = np.concatenate((active, more))
        signs = np.concatenate((signs, np.sign(slope[more])))
    return x


def _solved(matrix: Array, right: Array) -> Array:
    _, answer, failed = dposv(matrix, right)
    return np.linalg.lstsq(matrix, right)[0] if failed else answer


def _rss(problem: Problem, ridge: Array, hinges: Array, v: float) -> float:
    """The sum of squared residuals at a minimum, where ``gram @ x`` is known to be ``moments`` less the priors."""
    theta = np.concatenate((ridge, hinges))
    penalty = (problem.precision * ridge**2).sum() + problem.rate * np.abs(hinges).sum()
    rss = float(problem.square - theta @ problem.moments - v * penalty)
    if rss < 1e-6 * problem.square:  # what is left of it has cancelled
        residual = problem.y - theta @ problem.features
        rss = float(residual @ residual)
    return rss


def _polished(problem: Problem, ridge: Array, hinges: Array, steps: int) -> Solution:
    """Residuals instead of the Gram matrix, which knows them to half as many digits; signs stay as they are."""
    size, active = len(ridge), hinges.nonzero()[0]
    columns = np.concatenate((np.arange(size), size + active))
    some, signs = np.concatenate((ridge, hinges[active])), np.sign(hinges[active])
    features, gram = problem.features[columns], problem.gram[columns[:, None], columns]
    diagonal = gram.diagonal().copy()
    residual = problem.y - some @ features
    v = float(best_v(residual @ residual, len(problem.y)))
    for _ in range(_POLISHES):
        pull = np.concatenate((problem.precision * some[:size], problem.rate * signs))
        gram.flat[:: len(columns) + 1] = diagonal
        gram.flat[: size * (len(columns) + 1) : len(columns) + 1] += v * problem.precision
        new = some + _solved(gram, features @ residual - v * pull)
        if (new[size:] * signs <= 0).any():
            break
        some, before, residual = new, v, problem.y - new @ features
        v = float(best_v(residual @ residual, len(problem.y)))
        if abs(v - before) <= 1e-10 * v:
            break
    ridge, hinges = some[:size], hinges.copy()
    hinges[active] = some[size:]
    return Solution(ridge, hinges, v, float(violations(problem, ridge, hinges, v, residual)), steps)


def violations(problem: Problem, ridge: Array, hinges: Array, v: Array, residual: Array) -> Array:
    """By how much the conditions of a maximum are missed, in standard errors of one coefficient.

    Of one series, or of several at once: then ``v`` and the leading axis of the others are theirs.
    """
    size, v = len(problem.precision), np.asarray(v)[..., None]
    slope = residual @ problem.features.T / v
    slope[..., :size] -= problem.precision * ridge
    at_zero = np.maximum(np.abs(slope[..., size:]) - problem.rate, 0.0)
    slope[..., size:] = np.where(hinges == 0, at_zero, slope[..., size:] - problem.rate * np.sign(hinges))
    spread = problem.gram.diagonal() / v
    spread[..., :size] += problem.precision
    of_theta = (np.abs(slope) / np.sqrt(np.maximum(spread, 1e-300))).max(axis=-1)
    of_v = np.abs(v[..., 0] / best_v((residual**2).sum(axis=-1), residual.shape[-1]) - 1)
    return np.maximum(of_theta, of_v)
