"""How good a forecast is: the measures and nothing else; arrays in, numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_DAY = 86_400.0
_SEASONS = ((7 * _DAY, 52), (30.4 * _DAY, 12), (91.3 * _DAY, 4))  # step in seconds, steps in a year


def mae(actual: Array, forecast: Array) -> float:
    """Mean absolute error, in the unit of the readings."""
    return float(np.mean(np.abs(actual - forecast)))


def rmse(actual: Array, forecast: Array) -> float:
    """Root mean squared error, in the unit of the readings."""
    return float(np.sqrt(np.mean((actual - forecast) ** 2)))


def smape(actual: Array, forecast: Array) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (Makridakis 1993, as in M4); 0/0 counts as 0."""
    size = np.abs(actual) + np.abs(forecast)
    error = np.abs(actual - forecast)
    return float(200.0 * np.mean(np.divide(error, size, out=np.zeros_like(size), where=size > 0)))


def mase(actual: Array, forecast: Array, scale: float | None) -> float | None:
    """Mean absolute scaled error (Hyndman & Koehler 2006): below 1 beats seasonal naive's in-sample error.

    None where it is undefined: without a scale, as of a constant history.
    """
    return None if scale is None else mae(actual, forecast) / scale


def naive_scale(history: Array, season: int) -> float | None:
    """MASE's denominator: the in-sample mean absolute error of the seasonal naive forecast.

    Lags count readings, not time. A history of ``season`` readings or fewer is compared with the reading
    before (a season of 1). None when that error is 0, or there are fewer than two readings.
    """
    lag = season if len(history) > season else 1
    if len(history) <= lag:
        return None
    return float(np.mean(np.abs(history[lag:] - history[:-lag]))) or None


def seasonal_naive(history: Array, season: int, steps: int) -> Array:
    """The last season repeated; of a shorter history its last reading."""
    lag = season if len(history) >= season else 1
    return np.resize(history[-lag:], steps)


def coverage(actual: Array, lower: Array, upper: Array) -> float:
    """The share of readings inside their interval, 0 to 1; ideally the interval's width."""
    return float(np.mean((actual >= lower) & (actual <= upper)))


def season_length(ds: Array) -> int:
    """Steps in a season, from the median step: a day's below daily (hourly: 24), 7 daily, a year's above.

    52 weekly, 12 monthly, 4 quarterly, 1 (no season) for anything in between.
    """
    if len(ds) < 2:
        return 1
    step = float(np.median(np.diff(ds.astype("datetime64[s]")).astype(np.float64)))
    if 0 < step < 0.9 * _DAY:
        return max(round(_DAY / step), 1)
    if 0.9 * _DAY <= step <= 1.1 * _DAY:
        return 7
    return next((steps for length, steps in _SEASONS if abs(step / length - 1) < 0.1), 1)
