"""Prophet's own log density, Stan's ``lp__``: constants dropped as Stan drops them, whoever found the parameters."""

from __future__ import annotations

from typing import Any

import holiday_calendar
import numpy as np
from design import DAY
from options import Options
from parameters import Holiday, Parameters, Seasonality

Array = np.ndarray[Any, Any]


def log_posterior(parameters: Parameters, ds: Array, y: Array, options: Options) -> float:
    """Of linear and flat growth, at the readings that were fitted; ``options`` has the changepoints' prior.

    Without changepoints Prophet has a dummy and adds what it found to ``k``: it is taken apart again, at its best.
    """
    known = np.isfinite(y)
    ds, y = ds[known], y[known]
    tau, s2 = options.changepoint_prior_scale, parameters.sigma**2
    residual = y / parameters.y_scale - fitted(parameters, ds)
    k, dummy = parameters.k, 0.0
    if not len(parameters.delta) and parameters.growth == "linear":
        k = float(np.clip(k, -25 / tau, 25 / tau))
        dummy = parameters.k - k
    scales = [s.prior_scale for s in parameters.seasonalities for _ in range(2 * s.order)]
    scales += [holiday.prior_scale for holiday in parameters.holidays]
    prior = (k**2 + parameters.m**2) / 50 + (np.abs(parameters.delta).sum() + abs(dummy)) / tau
    prior += ((parameters.beta / np.array(scales)) ** 2).sum() / 2 + 2 * s2
    return float(-prior - len(y) * np.log(parameters.sigma) - residual @ residual / (2 * s2))


def fitted(parameters: Parameters, ds: Array) -> Array:
    """What the model says at ``ds``, scaled; each column written out as Prophet does."""
    moments = ds.astype("datetime64[ns]").astype(np.int64)
    t = (moments - parameters.start) / parameters.t_scale
    trend = parameters.m + (0.0 if parameters.growth == "flat" else parameters.k) * t
    if parameters.growth == "linear":
        for changepoint, delta in zip(parameters.changepoints, parameters.delta, strict=True):
            trend = trend + delta * np.maximum(t - changepoint, 0.0)
    terms = {"additive": np.zeros(len(t)), "multiplicative": np.zeros(len(t))}
    turns, column = 2 * np.pi * (moments / DAY), 0
    for season in parameters.seasonalities:
        for order in range(1, season.order + 1):
            angle = order / season.period * turns
            sine, cosine = parameters.beta[column : column + 2]
            terms[season.mode] += sine * np.sin(angle) + cosine * np.cos(angle)
            column += 2
    if parameters.country:
        names = [holiday.name for holiday in parameters.holidays]
        days = holiday_calendar.columns(parameters.country, names, ds)
        for each, beta in enumerate(parameters.beta[column:]):
            terms[parameters.holidays[each].mode] += beta * days[:, each]
    return trend * (1 + terms["multiplicative"]) + terms["additive"]


def of_prophet(model: Any) -> Parameters:
    """The parameters of a fitted Prophet object (without custom seasonalities, holidays or regressors)."""
    found = {name: np.asarray(value, float).reshape(-1) for name, value in model.params.items()}
    stamps = model.history["ds"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    start = int(stamps[0])
    changepoints = np.sort(np.asarray(model.changepoints, "datetime64[ns]").astype(np.int64)) - start
    seasons = tuple(
        Seasonality(name, float(one["period"]), one["fourier_order"], one["mode"], one["prior_scale"])
        for name, one in model.seasonalities.items()
    )
    names = [] if model.train_holiday_names is None else list(model.train_holiday_names)
    holidays = tuple(
        Holiday(name, model.holidays_mode, model.holidays_prior_scale)
        for name in sorted(names, key=lambda name: f"{name}_delim_+0")
    )
    columns = sum(2 * season.order for season in seasons) + len(holidays)
    return Parameters(
        growth=model.growth, start=start, t_scale=int(stamps[-1] - start), y_scale=float(model.y_scale),
        k=float(found["k"][0]), m=float(found["m"][0]), sigma=float(found["sigma_obs"][0]),
        changepoint_offsets=changepoints, delta=found["delta"][: len(changepoints)],
        seasonalities=seasons, holidays=holidays, beta=found["beta"][:columns],
        last=int(np.datetime64(model.history_dates.max(), "ns").astype(np.int64)), rows=len(stamps),
        country=model.country_holidays,
    )  # fmt: skip
