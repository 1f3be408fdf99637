"""The forecasting engine: what train, evaluate and inference call, whichever way a customer was fitted.

``map`` computes the maximum of Prophet's posterior itself; ``stan`` is Prophet. Both leave the same small
model, and what is asked of a model needs neither Prophet nor pandas.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import forecasting
import intervals
import model_file
import numpy as np
import steps
from fields import BadModel
from model_file import Model, Provenance
from options import CannotFit, NotCertain, Options
from parameters import Parameters

LARGEST = 1e300  # sums of errors must stay finite
__all__ = ["BadModel", "CannotFit", "Forecast", "Model", "Options", "Provenance"]


@dataclass(frozen=True)
class Forecast:
    """Four arrays of equal length: ``ds`` datetime64, the rest float64."""

    ds: np.ndarray[Any, Any]
    yhat: np.ndarray[Any, Any]
    yhat_lower: np.ndarray[Any, Any]
    yhat_upper: np.ndarray[Any, Any]


@cache
def identity() -> str:
    """What makes models, besides data and options: changes with Prophet's version and with this folder's code."""
    from importlib import metadata  # as slow to import as all the rest, and no server needs it

    code = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        code.update(hashlib.sha256(module.read_bytes()).digest())
    return f"prophet {metadata.version('prophet')}, code {code.hexdigest()[:16]}"


def check(options: Options) -> None:
    """Raise ValueError for a country whose holidays nobody knows, and for what the engine asked for cannot fit."""
    import map_fit

    if options.engine == "map" and not map_fit.applies(options):
        raise ValueError(
            f"engine=map cannot fit growth={options.growth} with seasonality_mode={options.seasonality_mode}; "
            "possible: auto, stan"
        )
    if options.country_holidays == "none":
        return
    import holidays

    known = holidays.list_supported_countries()
    if options.country_holidays not in known:
        raise ValueError(
            f"country_holidays={options.country_holidays!r} is no country code that has holidays; "
            f"possible: none, {', '.join(sorted(known))}"
        )


def fit(ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any], options: Options) -> Model:
    """Fit one customer; ``ds`` (datetime64) ascending, ``y`` finite. Raises CannotFit."""
    if len(y) < 2:
        raise CannotFit(f"{len(y)} usable rows, Prophet needs at least 2")
    if ds[0] == ds[-1]:
        raise CannotFit(f"all {len(y)} rows have the timestamp {ds[0]}, Prophet needs at least 2")
    if not (np.abs(y) <= LARGEST).all():
        raise CannotFit(f"a value is not finite, or beyond {LARGEST:g}")
    return Model(_parameters(ds, y, options), steps.infer(ds), options.seed, options.interval_width)


def _parameters(ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any], options: Options) -> Parameters:
    """By the engine asked for; ``auto`` is the exact one wherever it applies and vouches for what it found."""
    if together(options):
        import map_fit

        try:
            return map_fit.fit(ds, y, options)
        except NotCertain:
            if options.engine == "map":
                raise
    import stan_engine

    return stan_engine.fit(ds, y, options)


def fit_many(ds: np.ndarray[Any, Any], readings: np.ndarray[Any, Any], options: Options) -> list[Model]:
    """Fit customers with the same timestamps, a column of ``readings`` each; for options that go ``together``.

    Raises CannotFit if one of them cannot be fitted.
    """
    import map_fit

    if not (np.abs(readings) <= LARGEST).all():
        raise CannotFit(f"a value is not finite, or beyond {LARGEST:g}")
    found = map_fit.fit_many(ds, readings, options)
    step = steps.infer(ds)
    return [Model(parameters, step, options.seed, options.interval_width) for parameters in found]


def together(options: Options) -> bool:
    """Whether customers are so quickly fitted that many of them are one piece of work."""
    import map_fit

    return options.engine == "map" or (options.engine == "auto" and map_fit.applies(options))


def fitted_values(model: Model, ds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """yhat at the rows that were fitted, in their order."""
    return forecasting.yhat(model.parameters, ds)


def fitted_values_of_many(models: list[Model], ds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same for what ``fit_many`` has made, one row for each model."""
    return forecasting.yhat_of_many([model.parameters for model in models], ds)


def future(model: Model, count: int) -> np.ndarray[Any, Any]:
    """The ``count`` timestamps that follow the last one fitted. Raises OverflowError beyond year 2261."""
    return steps.following(model.parameters.last, model.step, count)


def predict(
    model: Model, ds: np.ndarray[Any, Any], interval_width: float | None = None, sampled: bool = False
) -> Forecast:
    """Forecast at any timestamps, in ascending order; the same question always gets the same answer.

    The intervals are exact, or ``sampled`` as Prophet does after ``numpy.random.seed``; those of logistic
    growth always are.
    """
    ds = np.sort(ds)
    terms = forecasting.terms(model.parameters, ds)
    sampled = sampled or model.parameters.growth == "logistic"
    seed = model.seed if sampled else None
    lower, upper = intervals.of(model.parameters, terms, interval_width or model.interval_width, seed)
    return Forecast(ds, terms.yhat, lower, upper)


def save(model: Model) -> bytes:
    """A model as JSON; the same model always gives the same bytes."""
    return model_file.dumps(model)


def load(content: bytes) -> Model:
    """The model behind ``save``'s bytes, or behind those of the first format, which held a whole Prophet
    object. Raises BadModel."""
    if content.startswith(b'{"format": 1, '):
        import stan_engine

        return stan_engine.load(content)
    return model_file.loads(content)
