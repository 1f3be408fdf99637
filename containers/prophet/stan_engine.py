"""Prophet itself, fitted by Stan: the reference, and the engine for what the exact one does not cover."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from typing import Any

import numpy as np
import posterior
import steps
from fields import BadModel
from model_file import Model
from options import CannotFit, Options
from parameters import Parameters

_SWITCH = {"auto": "auto", "true": True, "false": False}


def fit(ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any], options: Options) -> Parameters:
    """Fit one customer; ``ds`` (datetime64) ascending, ``y`` finite. Raises CannotFit."""
    return parameters_of(fit_prophet(ds, y, options))


def fit_prophet(ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any], options: Options) -> Any:
    """The fitted Prophet object. Raises CannotFit."""
    quiet()
    import pandas as pd

    frame = pd.DataFrame({"ds": ds, "y": y})
    if options.growth == "logistic":
        if y.max() <= 0:
            raise CannotFit("growth=logistic needs a value above 0, all are 0 or less")
        frame["cap"] = options.cap_factor * y.max()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return new(options).fit(frame, seed=options.seed + 1, output_dir=scratch)
    except (ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise CannotFit(f"{type(error).__name__}: {_gist(str(error))}") from error


def parameters_of(prophet: Any) -> Parameters:
    """What a fitted Prophet object found."""
    found = posterior.of_prophet(prophet)
    if prophet.growth != "logistic":
        return found
    return dataclasses.replace(found, cap=float(prophet.history["cap"].iloc[-1]))


def load(content: bytes) -> Model:
    """The model in a file of the first format: Prophet's own JSON, history and all. Raises BadModel."""
    quiet()
    from prophet.serialize import model_from_dict

    try:
        parts = json.loads(content)
        prophet = model_from_dict(parts["prophet"])
        step = steps.infer(prophet.history_dates.to_numpy())
        return Model(parameters_of(prophet), step, parts["seed"], prophet.interval_width)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadModel(f"not a model of this engine: {type(error).__name__}: {error}") from error


def new(options: Options) -> Any:
    """Prophet with these options, not yet fitted."""
    from prophet import Prophet

    model = Prophet(
        growth=options.growth,
        n_changepoints=options.n_changepoints,
        changepoint_range=options.changepoint_range,
        yearly_seasonality=_SWITCH[options.yearly_seasonality],
        weekly_seasonality=_SWITCH[options.weekly_seasonality],
        daily_seasonality=_SWITCH[options.daily_seasonality],
        seasonality_mode=options.seasonality_mode,
        seasonality_prior_scale=options.seasonality_prior_scale,
        holidays_prior_scale=options.holidays_prior_scale,
        changepoint_prior_scale=options.changepoint_prior_scale,
        interval_width=options.interval_width,
    )
    if options.country_holidays != "none":
        model.add_country_holidays(options.country_holidays)
    return model


def quiet() -> None:
    """Silence the log messages of Prophet and Stan, before anything imports them."""
    logging.getLogger("prophet").setLevel(logging.ERROR)
    for name in ("prophet.plot", "cmdstanpy"):  # the first misses plotly, the second tells of every fit
        logging.getLogger(name).disabled = True


def _gist(message: str) -> str:
    """The line that says why: Stan prints its whole configuration before it."""
    lines = message.splitlines() or [""]
    return next((line for line in lines if line.strip().startswith("Exception:")), lines[0]).strip()[:300]
