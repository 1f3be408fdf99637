"""The columns of Prophet's model at a series' timestamps, by Prophet's own rules: what depends on no reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import holiday_calendar
import numpy as np
from options import CannotFit, Options
from parameters import Holiday, Seasonality

Array = np.ndarray[Any, Any]

DAY = 86_400 * 10**9  # nanoseconds
_BUILT_IN = {  # period in days, order, and from which span on Prophet has it, and below which step
    "yearly": (365.25, 10, 730 * DAY, None),
    "weekly": (7.0, 3, 14 * DAY, 7 * DAY),
    "daily": (1.0, 4, 2 * DAY, DAY),
}


@dataclass(frozen=True, eq=False)
class Design:
    """``features``: p x T, rows ridge-penalised (rate, offset, regressors), then hinges (one per changepoint).

    ``precision`` is 1 / scale^2 of the former's priors. With flat growth there is neither rate nor hinge.
    ``hinge_of`` says which changepoint each hinge belongs to: changepoints at the same moment share one.
    """

    growth: str
    start: int
    t_scale: int
    features: Array
    gram: Array
    precision: Array
    changepoint_offsets: Array
    hinge_of: Array
    seasonalities: tuple[Seasonality, ...]
    holidays: tuple[Holiday, ...]
    country: str | None


def of(ds: Array, options: Options) -> Design:
    """Of ascending timestamps (datetime64). Raises CannotFit where Prophet cannot either."""
    moments = ds.astype("datetime64[ns]").astype(np.int64)
    if len(moments) < 2:
        raise CannotFit(f"{len(moments)} usable rows, Prophet needs at least 2")
    if moments[0] == moments[-1]:
        raise CannotFit(f"all {len(moments)} rows have the timestamp {ds[0]}, Prophet needs at least 2")
    start, t_scale = int(moments[0]), int(moments[-1] - moments[0])
    offsets = moments - start
    changepoints = changepoint_offsets(offsets, options)
    distinct, hinge_of = np.unique(changepoints, return_index=True)
    seasons = seasonalities(offsets, options)
    country = None if options.country_holidays == "none" else options.country_holidays
    names = holiday_calendar.names(country, ds) if country else []
    holidays = tuple(Holiday(name, options.seasonality_mode, options.holidays_prior_scale) for name in names)
    trend = 1 if options.growth == "flat" else 2
    regressors = sum(2 * season.order for season in seasons) + len(names)
    ridge = trend + regressors
    if options.growth == "flat":
        distinct = hinge_of = np.zeros(0, np.int64)
    elif not len(changepoints):
        distinct = np.zeros(1, np.int64)  # Prophet's dummy: a second rate, with the changepoints' prior

    features = np.empty((ridge + len(distinct), len(moments)))
    t = offsets / t_scale
    features[:trend] = 1.0 if options.growth == "flat" else (t, np.ones(len(t)))
    row = trend
    for season in seasons:
        fourier(moments / DAY, season.period, features[row : row + 2 * season.order])
        row += 2 * season.order
    if country:
        features[row:ridge] = holiday_calendar.columns(country, names, ds).T
    hinges = features[ridge:]
    np.subtract(t, (distinct / t_scale)[:, None], out=hinges)
    np.maximum(hinges, 0.0, out=hinges)
    scales = [5.0] * trend + [season.prior_scale for season in seasons for _ in range(2 * season.order)]
    scales += [holiday.prior_scale for holiday in holidays]
    return Design(
        options.growth, start, t_scale, features, features @ features.T, np.array(scales) ** -2.0,
        changepoints, hinge_of, seasons, holidays, country,
    )  # fmt: skip


def changepoint_offsets(offsets: Array, options: Options) -> Array:
    """Even over the first part of the rows, never at the first row; duplicates and all, as Prophet has them."""
    rows = int(np.floor(len(offsets) * options.changepoint_range))
    count = min(options.n_changepoints, rows - 1)
    if count <= 0:
        return np.zeros(0, np.int64)
    return offsets[_even(rows, count)]


@lru_cache
def _even(rows: int, count: int) -> Array:
    return np.linspace(0, rows - 1, count + 1).round().astype(int)[1:]


def seasonalities(offsets: Array, options: Options) -> tuple[Seasonality, ...]:
    """What is switched on, and what auto finds: enough history, and steps that are small enough."""
    differences, span = offsets[1:] - offsets[:-1], offsets[-1]
    step = differences.min() or differences[differences != 0].min()
    chosen = []
    for name, (period, order, enough, wide) in _BUILT_IN.items():
        switch = getattr(options, f"{name}_seasonality")
        found = span >= enough and (wide is None or step < wide)
        if switch == "true" or (switch == "auto" and found):
            chosen.append(
                Seasonality(name, period, order, options.seasonality_mode, options.seasonality_prior_scale)
            )
    return tuple(chosen)


def fourier(days: Array, period: float, out: Array) -> None:
    """Sine 1, cosine 1, sine 2 ... into the rows of ``out``; the higher ones are powers of the first."""
    angle = (2 * np.pi / period) * days
    powers = np.empty((len(out) // 2, len(days)), np.complex128)
    powers.real[0] = np.cos(angle)
    powers.imag[0] = np.sin(angle)
    known = 1
    while known < len(powers):
        more = min(known, len(powers) - known)
        np.multiply(powers[:more], powers[known - 1], out=powers[known : known + more])
        known += more
    out[0::2] = powers.imag
    out[1::2] = powers.real
