"""How sure a forecast is: the quantiles of Prophet's own model of the future, exactly or as Prophet samples them."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import logistic
import numpy as np
import quantiles
from forecasting import Terms
from parameters import Parameters

Array = np.ndarray[Any, Any]
SAMPLES = 1000  # as many as Prophet draws
_EPSILON = 1e-8  # Prophet adds it to the mean change of the rate


def of(parameters: Parameters, terms: Terms, width: float, seed: int | None = None) -> tuple[Array, Array]:
    """The interval's lower and upper ends for timestamps in ascending order: exact, or with a seed sampled."""
    if seed is not None:
        return sampled(parameters, terms, width, seed)
    half, yhat = half_widths(parameters, terms, width), terms.yhat
    return yhat - half, yhat + half


def half_widths(parameters: Parameters, terms: Terms, width: float) -> Array:
    """How far from yhat the interval's two ends lie, for timestamps in ascending order."""
    found = np.full(len(terms.t), parameters.sigma * NormalDist().inv_cdf((1 + width) / 2))
    rows = np.flatnonzero(terms.t > 1)
    if parameters.growth == "linear" and len(rows):
        step, probability, mean = _changes(parameters, terms.t[rows])
        moved = mean * step * (np.arange(len(rows)) + 0.5)
        reach = np.broadcast_to(np.abs(1 + terms.multiplicative), len(terms.t))[rows]
        with np.errstate(divide="ignore"):
            future = quantiles.Future(probability, moved, parameters.sigma / reach)
        uncertain = np.flatnonzero(future.spread > 1e-6 * future.sigma)
        if len(uncertain):
            found[rows[uncertain]] = reach[uncertain] * quantiles.half_widths(future, uncertain, width)
    return found * parameters.y_scale


def sampled(parameters: Parameters, terms: Terms, width: float, seed: int) -> tuple[Array, Array]:
    """The interval's ends as Prophet samples them after ``numpy.random.seed(seed)``."""
    generator = np.random.RandomState(seed)
    future = terms.t > 1
    shifts = np.zeros((SAMPLES, len(terms.t)))
    if parameters.growth != "flat" and future.any():
        shifts[:, future] = _shifts(parameters, terms.t[future], generator)
    trends = terms.trend + shifts * parameters.y_scale
    noise = generator.normal(0, parameters.sigma, trends.shape) * parameters.y_scale
    draws = trends * (1 + terms.multiplicative) + terms.additive + noise
    lower, upper = np.percentile(draws, (100 * (1 - width) / 2, 100 * (1 + width) / 2), axis=0)
    return lower, upper


def _shifts(parameters: Parameters, t: Array, generator: np.random.RandomState) -> Array:
    """How far each sample's trend is from yhat's, scaled."""
    step, probability, mean = _changes(parameters, t)
    shape = (SAMPLES, len(t))
    changed = generator.uniform(size=shape) < probability
    changes = generator.laplace(0, mean, size=shape) * changed
    halves = (changes + np.hstack([np.zeros((SAMPLES, 1)), changes[:, :-1]])) / 2
    if parameters.growth == "logistic":
        return logistic.shifts(parameters, t, step, halves)
    return halves.cumsum(axis=1).cumsum(axis=1) * step


def _changes(parameters: Parameters, t: Array) -> tuple[float, float, float]:
    """The time between future rows, the probability that one changes the rate, and the mean size of that."""
    step = float(np.diff(t).mean()) if len(t) > 1 else parameters.mean_step / parameters.t_scale
    sizes = np.abs(parameters.delta) if len(parameters.delta) else np.zeros(1)  # Prophet's dummy
    return step, min(len(sizes) * step, 1.0), float(sizes.mean()) + _EPSILON
