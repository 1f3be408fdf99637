"""What a customer's parameters say about any moment: Prophet's predict, without Prophet and pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import holiday_calendar
import numpy as np
from parameters import Parameters

_TURN = np.pi * 2


@dataclass(frozen=True)
class Terms:
    """A forecast's parts, one number per timestamp: ``yhat = trend * (1 + multiplicative) + additive``.

    ``t`` is Prophet's scaled time (1 is the last row fitted); ``multiplicative`` is 0.0 where there is none.
    """

    t: np.ndarray[Any, Any]
    trend: np.ndarray[Any, Any]
    additive: np.ndarray[Any, Any] | float
    multiplicative: np.ndarray[Any, Any] | float

    @property
    def yhat(self) -> np.ndarray[Any, Any]:
        return self.trend * (1 + self.multiplicative) + self.additive


def yhat(parameters: Parameters, ds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The forecast at any timestamps (datetime64), in their order."""
    return terms(parameters, ds).yhat


def yhat_of_many(several: list[Parameters], ds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same for customers who were fitted together, one row each; it differs in the last digits at most."""
    first = several[0]
    if len(several) == 1 or first.growth == "logistic" or first.holidays:
        return np.array([yhat(parameters, ds) for parameters in several])
    stamps = ds.astype("datetime64[ns]").view(np.int64)
    t = (stamps - first.start) / first.t_scale
    m, k = (np.array([[getattr(one, name)] for one in several]) for name in ("m", "k"))
    found = np.repeat(m, len(t), axis=1) if first.growth == "flat" else k * t + m
    if first.growth != "flat" and len(first.changepoints):
        bends = np.maximum(t - first.changepoints[:, None], 0.0)
        found += np.array([one.delta for one in several]) @ bends
    if len(first.waves.cycles):
        angles = np.multiply.outer(first.waves.cycles, _TURN * (stamps / 1e9 / 86400))
        waves = np.concatenate((np.sin(angles), np.cos(angles)))
        weights = np.array([one.waves.weights for one in several])
        if weights.shape[1] > 1:
            found *= 1 + weights[:, 1] @ waves
        found += weights[:, 0] @ waves
    return found * np.array([[one.y_scale] for one in several])


def terms(parameters: Parameters, ds: np.ndarray[Any, Any]) -> Terms:
    """The forecast in parts. Each is computed in Prophet's order of operations, so that they agree."""
    stamps = ds.astype("datetime64[ns]").view(np.int64)
    t = (stamps - parameters.start) / parameters.t_scale
    additive: np.ndarray[Any, Any] | float = 0.0
    multiplicative: np.ndarray[Any, Any] | float = 0.0
    waves = parameters.waves
    if len(waves.cycles):
        angles = np.multiply.outer(waves.cycles, _TURN * (stamps / 1e9 / 86400))
        sums = waves.weights @ np.concatenate((np.sin(angles), np.cos(angles)))
        additive = sums[0]
        multiplicative = sums[1] if len(sums) > 1 else 0.0
    if parameters.holidays:
        effects = _holidays(parameters, ds)
        additive, multiplicative = additive + effects[0], multiplicative + effects[1]
    return Terms(t, trend(parameters, t), additive * parameters.y_scale, multiplicative)


def trend(parameters: Parameters, t: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The trend at scaled times, in the values' own unit."""
    if parameters.growth == "flat":
        return np.full(len(t), parameters.m * parameters.y_scale)
    if parameters.growth == "logistic":
        return _logistic(parameters, t) * parameters.y_scale
    changepoints = parameters.changepoints
    if len(changepoints) and t.min() >= changepoints[-1]:
        rate, offset = parameters.at_the_end
        return (rate * t + offset) * parameters.y_scale
    passed = (changepoints[None, :] <= t[:, None]) * parameters.delta
    rate = passed.sum(axis=1) + parameters.k
    offset = (passed * -changepoints).sum(axis=1) + parameters.m
    return (rate * t + offset) * parameters.y_scale


def _logistic(parameters: Parameters, t: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Growth up to the cap; each change of the rate moves the offset so that the curve has no step."""
    assert parameters.cap is not None
    rates = np.concatenate(([parameters.k], np.cumsum(parameters.delta) + parameters.k))
    rate, offset = np.full(len(t), parameters.k), np.full(len(t), parameters.m)
    moved = 0.0
    for number, changepoint in enumerate(parameters.changepoints):
        gamma = (changepoint - parameters.m - moved) * (1 - rates[number] / rates[number + 1])
        moved += gamma
        after = t >= changepoint
        rate[after] += parameters.delta[number]
        offset[after] += gamma
    cap = parameters.cap / parameters.y_scale
    return cap / (1 + np.exp(-rate * (t - offset)))


def _holidays(parameters: Parameters, ds: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The sum of the holidays that add, and of those that multiply."""
    assert parameters.country is not None
    names = [holiday.name for holiday in parameters.holidays]
    on = holiday_calendar.columns(parameters.country, names, ds)
    beta = parameters.beta[len(parameters.beta) - len(names) :]
    adds = np.array([holiday.mode == "additive" for holiday in parameters.holidays])
    return on @ np.where(adds, beta, 0.0), on @ np.where(adds, 0.0, beta)
