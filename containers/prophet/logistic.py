"""What Prophet's samples of the future do to a trend that saturates."""

from __future__ import annotations

from typing import Any

import numpy as np
from parameters import Parameters

Array = np.ndarray[Any, Any]


def shifts(parameters: Parameters, t: Array, step: float, changes: Array) -> Array:
    """How far each sample's trend is from the samples' mean, scaled; ``changes`` of the rate at future rows.

    The trend is followed from the first row on, in steps as long as the future's.
    """
    assert parameters.cap is not None
    past = np.arange(0, 1 + step, step)
    before = np.zeros(len(past))
    for changepoint, delta in zip(parameters.changepoints, parameters.delta, strict=True):
        before[np.flatnonzero(past > changepoint)[0]] = delta
    changes = np.concatenate([np.tile(before, (len(changes), 1)), changes], axis=1)
    times = np.concatenate([past, t])
    rates = np.concatenate(
        [np.full((len(changes), 1), parameters.k), changes.cumsum(axis=1) + parameters.k], axis=1
    )
    known = np.concatenate([np.ones((len(changes), 1), bool), (changes != 0) & (rates[:, 1:] != 0)], axis=1)
    latest = np.maximum.accumulate(np.where(known, np.arange(known.shape[1]), 0), axis=1)
    kept = np.take_along_axis(rates, latest, axis=1)
    offsets = np.empty_like(changes)
    moved = np.zeros(len(changes))
    for row, time in enumerate(times):
        moved += (time - parameters.m - moved) * (1 - kept[:, row] / kept[:, row + 1])
        offsets[:, row] = moved
    rate, offset = rates[:, -len(t) :], offsets[:, -len(t) :] + parameters.m
    trends = parameters.cap / parameters.y_scale / (1 + np.exp(-rate * (t - offset)))
    return trends - trends.mean(axis=0)
