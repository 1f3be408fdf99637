"""Multiplicative terms: Gauss-Newton, each of whose steps is the additive problem, solved exactly.

    y ~ trend * (1 + season),   trend = ridge and hinges,   season = regressors @ beta

Around the last answer this is linear: the trend's columns times ``1 + season``, the regressors' times ``trend``. At the
variance that is best there, the linear problem's minimum lies downhill; a step that would lose density is shortened.
Where the steps end, the conditions of a maximum of the linear problem are those of the bilinear one, so what is
certified of the one holds for the other. It is not convex: other maxima can exist, and this is the one reached from
where Prophet starts, a line through the first and the last reading (flat: their mean) without any season; or, with
series that have hardly a level, from that level if this leads higher.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from solver import Array, Problem, Solution, at, best_v, violations

_CLOSE = 1e-11  # what the fitted values may still move, of the largest reading
_STEPS, _HALVINGS = 300, 30


def solve_multiplicative(problem: Problem, trend: int) -> Solution:
    """``problem`` as if all were additive; its first ``trend`` rows are the trend's, regressors come after them."""
    seasonal = np.zeros(len(problem.features), bool)
    seasonal[trend : len(problem.precision)] = True
    y, starts = problem.y, np.zeros((2, len(seasonal)))
    starts[0, :trend] = (y[-1] - y[0], y[0]) if trend == 2 else y.mean()
    starts[1, trend - 1] = y.mean()
    found = [climb(problem, start, seasonal) for start in starts[: trend if _noisy(y) else 1]]
    return min(found, key=lambda one: one[0])[1]


def climb(problem: Problem, theta: Array, seasonal: Array) -> tuple[float, Solution]:
    """The maximum that is reached from ``theta``, and minus its log density."""
    size, rows, steps = len(problem.precision), len(problem.y), 0
    cost, v = cost_of(problem, theta, seasonal)
    while True:
        steps += 1
        linear = _linearised(problem, theta, seasonal)
        aim = np.concatenate(at(linear, v, theta[size:]))
        way = aim - theta
        if steps == _STEPS or np.abs(way @ linear.features).max() < _CLOSE:
            break
        share = 1.0
        for _ in range(_HALVINGS):
            there = aim if share == 1 else theta + share * way
            new_cost, new_v = cost_of(problem, there, seasonal)
            if new_cost <= cost + 1e-13 * rows:
                break
            share /= 2
        else:
            break
        theta, cost, v = there, new_cost, new_v
    ridge, hinges = theta[:size], theta[size:]
    residual = linear.y - theta @ linear.features
    missed = float(violations(linear, ridge, hinges, v, residual))
    return cost, Solution(ridge, hinges, v, missed, steps)


def _noisy(y: Array) -> bool:
    """Whether the level is lost in what is around it: only then have several maxima been seen."""
    return bool(abs(y.mean()) < 2 * y.std())


def _parts(problem: Problem, theta: Array, seasonal: Array) -> tuple[Array, Array]:
    season = theta[seasonal] @ problem.features[seasonal]
    return theta[~seasonal] @ problem.features[~seasonal], 1 + season


def _linearised(problem: Problem, theta: Array, seasonal: Array) -> Problem:
    trend, factor = _parts(problem, theta, seasonal)
    features = problem.features * np.where(seasonal[:, None], trend, factor)
    y = problem.y + trend * (factor - 1)
    return replace(
        problem, features=features, y=y, gram=features @ features.T, moments=features @ y, square=float(y @ y)
    )


def cost_of(problem: Problem, theta: Array, seasonal: Array) -> tuple[float, float]:
    """Minus the log density at the best variance, and that."""
    trend, factor = _parts(problem, theta, seasonal)
    size, rows = len(problem.precision), len(problem.y)
    residual = problem.y - trend * factor
    rss = float(residual @ residual)
    v = float(best_v(rss, rows))
    prior = (problem.precision * theta[:size] ** 2).sum() / 2 + problem.rate * np.abs(theta[size:]).sum()
    return float(rows / 2 * np.log(v) + rss / (2 * v) + 2 * v + prior), v
