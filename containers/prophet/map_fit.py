"""Arrays in, Prophet's parameters out: the exact maximum of its posterior, without Prophet, pandas or Stan."""

from __future__ import annotations

from typing import Any

import batch
import design
import multiplicative
import numpy as np
import solver
from options import CannotFit, NotCertain, Options
from parameters import Parameters

Array = np.ndarray[Any, Any]

_DOUBTFUL = 1e-3  # standard errors of a coefficient
_NOISELESS = 1e-12  # variance of the scaled readings: their digits end here


def applies(options: Options) -> bool:
    """Whether the posterior of these options is one that the solvers know."""
    return options.growth in ("linear", "flat")


def fit(ds: Array, y: Array, options: Options) -> Parameters:
    """One series: ``ds`` (datetime64) ascending, ``y`` with NaN where nothing was read.

    Raises CannotFit; and of that kind NotCertain, where Stan should be asked.
    """
    known = np.isfinite(y)
    if not known.all():
        if np.isinf(y).any():
            raise CannotFit("Found infinity in column y.")
        last = ds[-1]
        ds, y = ds[known], y[known]
    else:
        last = ds[-1] if len(ds) else None
    columns = design.of(ds, options)
    return _fit(columns, y, _moment(last), options)


def _moment(stamp: np.datetime64) -> int:
    return int(stamp.astype("datetime64[ns]").astype(np.int64))


def _fit(columns: design.Design, y: Array, last: int, options: Options) -> Parameters:
    y_scale = float(np.abs(y).max()) or 1.0
    scaled = y / y_scale
    if y.min() == y.max():
        return _constant(columns, scaled, y_scale, last)
    return parameters(columns, _solved(columns, problem(columns, scaled, options)), y_scale, last, len(y))


def _solved(columns: design.Design, asked: solver.Problem) -> solver.Solution:
    """Raises NotCertain: seen with multiplicative terms and fewer readings than columns only."""
    if _bilinear(columns):
        found = multiplicative.solve_multiplicative(asked, 1 if columns.growth == "flat" else 2)
    else:
        found = solver.solve(asked)
    if found.violation > _DOUBTFUL and found.v > _NOISELESS:
        raise NotCertain(f"the exact engine found no maximum in {found.steps} steps; engine=stan may")
    return found


def _bilinear(columns: design.Design) -> bool:
    return any(term.mode == "multiplicative" for term in (*columns.seasonalities, *columns.holidays))


def problem(columns: design.Design, scaled: Array, options: Options) -> solver.Problem:
    """``scaled``: the readings between -1 and 1, T of one series or series x T."""
    square = np.einsum("...i,...i->...", scaled, scaled)
    moments = scaled @ columns.features.T
    rate = 1 / options.changepoint_prior_scale
    return solver.Problem(columns.features, scaled, columns.gram, moments, square, columns.precision, rate)


def parameters(
    columns: design.Design, found: solver.Solution, y_scale: float, last: int, rows: int
) -> Parameters:
    trend = 1 if columns.growth == "flat" else 2
    k, m = (0.0, found.ridge[0]) if trend == 1 else found.ridge[:2]
    delta = np.zeros(len(columns.changepoint_offsets))
    if len(delta):
        delta[columns.hinge_of] = found.hinges
    elif len(found.hinges):
        k += found.hinges[0]  # the dummy changepoint at the first row
    return Parameters(
        growth=columns.growth, start=columns.start, t_scale=columns.t_scale, y_scale=y_scale,
        k=float(k), m=float(m), sigma=float(np.sqrt(found.v)),
        changepoint_offsets=columns.changepoint_offsets, delta=delta,
        seasonalities=columns.seasonalities, holidays=columns.holidays, beta=found.ridge[trend:],
        last=last, rows=rows, country=columns.country,
    )  # fmt: skip


def _constant(columns: design.Design, scaled: Array, y_scale: float, last: int) -> Parameters:
    """Prophet leaves its initial parameters as they are where all readings are the same."""
    ridge = np.zeros(len(columns.precision))
    ridge[0 if columns.growth == "flat" else 1] = scaled[0]
    hinges = np.zeros(len(columns.features) - len(ridge))
    return parameters(columns, solver.Solution(ridge, hinges, 1e-18, 0.0, 0), y_scale, last, len(scaled))


def fit_many(ds: Array, readings: Array, options: Options) -> list[Parameters]:
    """Series on one time grid: ``readings`` is T x series, all of them finite. Raises CannotFit, NotCertain.

    Multiplicative terms gain little here: each series is solved by itself.
    """
    if not np.isfinite(readings).all():
        raise CannotFit("series on one grid have a number in every row")
    columns, rows, last = design.of(ds, options), len(readings), _moment(ds[-1])
    if _bilinear(columns):
        return [_fit(columns, one, last, options) for one in np.ascontiguousarray(readings.T)]
    y = np.array(readings.T, order="C")  # a copy, which is scaled
    scales = np.abs(y).max(axis=1)
    scales[scales == 0] = 1.0
    y /= scales[:, None]
    constant = y.min(axis=1) == y.max(axis=1)
    found = batch.solve_many(problem(columns, y[~constant], options))
    return [
        _constant(columns, one, float(scale), last)
        if same
        else parameters(columns, next(found), float(scale), last, rows)
        for one, scale, same in zip(y, scales, constant, strict=True)
    ]
