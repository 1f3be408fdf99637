"""The forecasting engine: the only module that knows Prophet. Another engine offers the same functions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from options import CannotFit, Options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FORMAT = 1
_SWITCH = {"auto": "auto", "true": True, "false": False}
_ONE_AT_A_TIME = threading.Lock()  # Prophet draws its samples from numpy's global generator


@dataclass(frozen=True)
class Model:
    """A fitted customer. ``step`` is how its timestamps go on: a pandas frequency, or seconds as text."""

    prophet: Any
    step: str
    seed: int
    interval_width: float


@dataclass(frozen=True)
class Forecast:
    """Four arrays of equal length: ``ds`` datetime64, the rest float64."""

    ds: np.ndarray[Any, Any]
    yhat: np.ndarray[Any, Any]
    yhat_lower: np.ndarray[Any, Any]
    yhat_upper: np.ndarray[Any, Any]


class BadModel(Exception):
    """Bytes that are no model of this engine; the message says why."""


def identity() -> str:
    """What made a model, besides data and options: changes with Prophet's version and with this file."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return f"prophet {importlib.metadata.version('prophet')}, engine {source}"


def check(options: Options) -> None:
    """Raise ValueError for a country whose holidays nobody knows; the rest is checked where it is parsed."""
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
    pd = _pandas()
    if len(y) < 2:
        raise CannotFit(f"{len(y)} usable rows, Prophet needs at least 2")
    if ds[0] == ds[-1]:
        raise CannotFit(f"all {len(y)} rows have the timestamp {ds[0]}, Prophet needs at least 2")
    frame = pd.DataFrame({"ds": ds, "y": y})
    if options.growth == "logistic":
        if y.max() <= 0:
            raise CannotFit("growth=logistic needs a value above 0, all are 0 or less")
        frame["cap"] = options.cap_factor * y.max()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            model = _new(options).fit(frame, seed=options.seed + 1, output_dir=scratch)
    except (ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise CannotFit(f"{type(error).__name__}: {_gist(str(error))}") from error
    model.fit_kwargs = {}  # the scratch folder is nobody's business, and would make equal models differ
    model.stan_fit = None
    return Model(model, _step(frame["ds"]), options.seed, options.interval_width)


def fitted_values(model: Model) -> np.ndarray[Any, Any]:
    """yhat at the rows that were fitted, in their order."""
    prophet = model.prophet
    with _ONE_AT_A_TIME:
        samples, prophet.uncertainty_samples = prophet.uncertainty_samples, 0
        try:
            return prophet.predict()["yhat"].to_numpy()
        finally:
            prophet.uncertainty_samples = samples


def future(model: Model, steps: int) -> np.ndarray[Any, Any]:
    """The ``steps`` timestamps that follow the last one fitted. Raises OverflowError beyond year 2261."""
    pd = _pandas()
    last = model.prophet.history_dates.max()
    try:
        freq = pd.Timedelta(seconds=float(model.step))
    except ValueError:
        freq = model.step
    try:
        dates = pd.date_range(last, periods=steps + 1, freq=freq, unit="ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise OverflowError(f"{steps} steps after {last} is too far ahead") from error
    return dates[dates > last][:steps].to_numpy()


def predict(model: Model, ds: np.ndarray[Any, Any], interval_width: float | None = None) -> Forecast:
    """Forecast at any timestamps; the same question always gets the same answer, intervals included."""
    import numpy as np

    prophet = model.prophet
    frame = _pandas().DataFrame({"ds": ds})
    if prophet.growth == "logistic":
        frame["cap"] = prophet.history["cap"].iloc[-1]
    with _ONE_AT_A_TIME:
        np.random.seed(model.seed)
        prophet.interval_width = interval_width or model.interval_width
        table = prophet.predict(frame)
    return Forecast(*(table[name].to_numpy() for name in ("ds", "yhat", "yhat_lower", "yhat_upper")))


def save(model: Model) -> bytes:
    """A model as JSON; the same model always gives the same bytes."""
    from prophet.serialize import model_to_dict

    model.prophet.interval_width = model.interval_width
    content = {
        "format": FORMAT,
        "step": model.step,
        "seed": model.seed,
        "prophet": model_to_dict(model.prophet),
    }
    return json.dumps(content).encode()


def load(content: bytes) -> Model:
    """The model behind ``save``'s bytes. Raises BadModel."""
    _pandas()
    from prophet.serialize import model_from_dict

    try:
        parts = json.loads(content)
        if parts["format"] != FORMAT:
            raise BadModel(f"model format {parts['format']!r}, this engine reads {FORMAT}")
        prophet = model_from_dict(parts["prophet"])
        return Model(prophet, parts["step"], parts["seed"], prophet.interval_width)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadModel(f"not a model of this engine: {type(error).__name__}: {error}") from error


def _new(options: Options) -> Any:
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


def _gist(message: str) -> str:
    """The line that says why: Stan prints its whole configuration before it."""
    lines = message.splitlines() or [""]
    return next((line for line in lines if line.strip().startswith("Exception:")), lines[0]).strip()[:300]


def _step(ds: pd.Series[Any]) -> str:
    """The frequency pandas sees (of all rows, or else of the last 30: old gaps); else the median step."""
    pd = _pandas()
    dates = ds.drop_duplicates()
    for tail in (dates, dates.tail(30)):
        freq = pd.infer_freq(tail) if len(tail) > 2 else None
        # several days or hours are left to the median, several months are not
        if freq is not None and (not freq[0].isdigit() or freq.lstrip("0123456789")[0] in "MQYB"):
            return str(freq)
    return str(dates.diff().median().total_seconds())


def _pandas() -> Any:
    """pandas; and the log messages of Prophet and Stan silenced before anything imports them."""
    logging.getLogger("prophet").setLevel(logging.ERROR)
    for name in ("prophet.plot", "cmdstanpy"):  # the first misses plotly, the second tells of every fit
        logging.getLogger(name).disabled = True
    import pandas as pd

    return pd
