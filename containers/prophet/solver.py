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

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dposv

Array = np.ndarray[Any, Any]

SMALLEST = 1e-18  # of v: Prophet's sigma of a series without noise is 1e-9
LEAST = float(np.log(SMALLEST))
_NEAR, _CLOSE = 1e-2, 1e-9  # of log v between two steps: enough for the polish, or with all care
_FINE = 1e-8  # a violation that needs no more care
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


def best_v(rss: Any, rows: int) -> Any:
    """The variance with the highest density, given the sum (or sums) of squared residuals."""
    v = 2 * rss / (rows + (rows * rows + 16 * rss) ** 0.5)
    return max(v, SMALLEST) if isinstance(v, float) else np.maximum(v, SMALLEST)


def solve(problem: Problem) -> Solution:
    """The first stationary point from above; see the module's docstring."""
    log_v, steps = math.log(_from_above(problem)), 0
    hinges = np.zeros(len(problem.moments) - len(problem.precision))
    many_rows = len(problem.y) > 2 * len(problem.moments)
    for careful in (False, True) if many_rows else (True,):
        ridge, hinges, log_v, taken = _descended(problem, hinges, log_v, careful)
        steps += taken
        found = _polished(problem, ridge, hinges, steps)
        if found.violation < _FINE:
            break
    return found


def _descended(
    problem: Problem, hinges: Array, log_v: float, careful: bool
) -> tuple[Array, Array, float, int]:
    """Down from ``log_v`` to the fixed point, or near it: coefficients, log v, number of steps.

    If not ``careful``, the ridge block is eliminated once, though its prior has to do with v: next to many rows it
    is next to nothing.
    """
    rows, before, without_ridge, taken = len(problem.y), None, None, 0
    while taken < _STEPS:
        taken += 1
        v = math.exp(log_v)
        if careful or without_ridge is None:
            without_ridge = _without_ridge(problem, v)
        ridge, hinges = _at(problem, v, hinges, *without_ridge)
        wanted = math.log(best_v(_rss(problem, ridge, hinges, v), rows))
        slope = 0.0
        if before and log_v != before[0]:
            slope = (wanted - before[1]) / (log_v - before[0])
        # a secant's step; where RSS falls as fast as v, it might leap over the first fixed point
        change = (wanted - log_v) / (1 - slope) if abs(slope) < 0.5 else wanted - log_v
        before, log_v = (log_v, wanted), max(log_v + change, LEAST)
        if abs(change) < (_CLOSE if careful else _NEAR) or log_v == wanted == LEAST:
            break
    return ridge, hinges, log_v, taken


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
    return _at(problem, v, hinges, *_without_ridge(problem, v))


def _without_ridge(problem: Problem, v: float) -> tuple[Array, Array, Array]:
    """The ridge block's solutions for each hinge and for the moments; the Gram matrix and moments that are left."""
    size = len(problem.precision)
    block = problem.gram[:size, :size].copy()
    block.flat[:: size + 1] += v * problem.precision
    rest = np.empty((size, len(problem.moments) - size + 1), order="F")
    rest[:, :-1] = problem.gram[:size, size:]
    rest[:, -1] = problem.moments[:size]
    eliminated = _solved(block, rest)
    left = problem.gram[size:, :size] @ eliminated
    return eliminated, problem.gram[size:, size:] - left[:, :-1], problem.moments[size:] - left[:, -1]


def _at(problem: Problem, v: float, hinges: Array, eliminated: Array, *left: Array) -> tuple[Array, Array]:
    hinges = lasso(*left, v * problem.rate, hinges, 1e-13 * float(np.abs(problem.moments).max()))
    return eliminated[:, -1] - eliminated[:, :-1] @ hinges, hinges


def lasso(gram: Array, target: Array, penalty: float, start: Array, noise: float) -> Array:
    """The minimum of x' gram x / 2 - target' x + penalty |x|, by an active set whose objective always falls."""
    x = start.copy()
    active = x.nonzero()[0]
    signs = np.sign(x[active])
    allowed = penalty * (1 + 1e-9) + noise
    slope = target
    for _ in range(50 * (len(x) + 1)):
        while active.size:
            new = _solved(gram[active[:, None], active], target[active] - penalty * signs)
            if (new * signs).min() > 0:
                x[active] = new
                break
            active, signs = _as_far_as_signs_hold(x, active, signs, new)
        slope = target - gram @ x
        excess = np.abs(slope)
        excess[active] = 0.0
        if excess.max(initial=0.0) <= allowed:
            return x
        # the worst of each run of neighbours: hinges side by side are much alike
        excess[excess <= allowed] = 0.0
        peak = excess > 0
        peak[1:] &= excess[1:] >= excess[:-1]
        peak[:-1] &= excess[:-1] > excess[1:]
        more = peak.nonzero()[0]
        active = np.concatenate((active, more))
        signs = np.concatenate((signs, np.sign(slope[more])))
    return x


def _as_far_as_signs_hold(x: Array, active: Array, signs: Array, new: Array) -> tuple[Array, Array]:
    """Move ``x`` towards ``new`` until the first of its coefficients is zero: what stays active, with its signs."""
    old, wrong = x[active], new * signs <= 0
    moved = np.where(wrong & (old != new), old - new, np.inf)
    reach = np.where(wrong, old / moved, 2.0)
    step = reach.min()
    stays = reach > step
    x[active] = np.where(stays, old + step * (new - old), 0.0)
    return active[stays], signs[stays]


def _solved(matrix: Array, right: Array) -> Array:
    _, answer, failed = dposv(matrix, right)
    return np.linalg.lstsq(matrix, right)[0] if failed else answer


def _rss(problem: Problem, ridge: Array, hinges: Array, v: float) -> float:
    """The sum of squared residuals at a minimum, where ``gram @ x`` is known to be ``moments`` less the priors."""
    theta = np.concatenate((ridge, hinges))
    penalty = problem.precision @ ridge**2 + problem.rate * np.abs(hinges).sum()
    rss = float(problem.square - theta @ problem.moments - v * penalty)
    if rss < 1e-6 * problem.square:  # what is left of it has cancelled
        residual = problem.y - theta @ problem.features
        rss = float(residual @ residual)
    return rss


def _polished(problem: Problem, ridge: Array, hinges: Array, steps: int) -> Solution:
    """Residuals instead of the Gram matrix, which knows them to half as many digits; signs stay as they are.

    Newton's steps in theta and log v together: the second column solved for is how theta goes with v.
    """
    size, active, rows = len(ridge), hinges.nonzero()[0], len(problem.y)
    columns = np.concatenate((np.arange(size), size + active))
    some, signs = np.concatenate((ridge, hinges[active])), np.sign(hinges[active])
    features, gram = problem.features[columns], problem.gram[columns[:, None], columns]
    diagonal, ridges = gram.diagonal().copy(), slice(0, size * (len(columns) + 1), len(columns) + 1)
    residual = problem.y - some @ features
    v = best_v(float(residual @ residual), rows)
    right = np.empty((len(columns), 2), order="F")
    right[size:, 1] = problem.rate * signs
    for _ in range(_POLISHES):
        right[:size, 1] = problem.precision * some[:size]
        right[:, 0] = features @ residual - v * right[:, 1]
        gram.flat[:: len(columns) + 1] = diagonal
        gram.flat[ridges] += v * problem.precision
        step, way = _solved(gram, right).T
        new = some + step
        rest = problem.y - new @ features
        slope = 2 * v * v * float(right[:, 1] @ way) / (float(rest @ rest) or 1.0)  # of log RSS by log v
        wanted = best_v(float(rest @ rest), rows)
        after = v + (wanted - v) / (1 - slope) if slope < 0.5 else wanted
        new -= (after - v) * way
        if (new[size:] * signs <= 0).any():
            break
        some, before, v = new, v, after
        residual = problem.y - some @ features
        if abs(v - before) <= 1e-6 * v:  # squared, that is rounding
            break
    v = best_v(float(residual @ residual), rows)
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
