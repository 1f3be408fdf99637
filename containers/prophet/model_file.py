"""A fitted customer as a small JSON file: parameters, how it goes on, and where it came from; no history.

Numbers are written as the shortest text that gives the same float64 back; times are whole multiples of
``unit`` nanoseconds. The file begins with the sha256 of all that follows: the same model always gives the
same bytes, and bytes that were changed are no model.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import steps
from fields import BadModel, Fields, number, positive, text, whole
from parameters import Holiday, Parameters, Seasonality

FORMAT = 2
_MODES = ("additive", "multiplicative")
_HEAD, _DIGEST, _NECK = b'{"sha256":"', 64, b'",'
_OPTIONAL = {"holidays": [], "country": None, "cap": None, "provenance": None}


@dataclass(frozen=True)
class Provenance:
    """Whose model it is, what it was made from, by which code, with which options that are not the
    default, and its in-sample errors (``mape`` in percent, None where it is undefined)."""

    customer: str
    fingerprint: str
    engine: str
    options: dict[str, Any]
    mae: float
    mape: float | None


@dataclass(frozen=True)
class Model:
    """A fitted customer."""

    parameters: Parameters
    step: steps.Step
    seed: int
    interval_width: float
    provenance: Provenance | None = None


def dumps(model: Model) -> bytes:
    """The file's content."""
    given = model.parameters
    offsets = given.changepoint_offsets.tolist()
    unit = math.gcd(given.start, given.t_scale, given.last, *offsets)
    content = {
        "format": FORMAT,
        "growth": given.growth,
        "unit": unit,
        "start": given.start // unit,
        "span": given.t_scale // unit,
        "last": given.last // unit,
        "rows": given.rows,
        "y_scale": given.y_scale,
        "k": given.k,
        "m": given.m,
        "sigma": given.sigma,
        "cap": given.cap,
        "changepoints": [(one - before) // unit for before, one in zip([0, *offsets], offsets, strict=False)],
        "delta": [value or 0 for value in given.delta.tolist()],
        "seasonalities": [list(vars(season).values()) for season in given.seasonalities],
        "holidays": [list(vars(holiday).values()) for holiday in given.holidays],
        "country": given.country,
        "beta": [value or 0 for value in given.beta.tolist()],
        "step": model.step,
        "seed": model.seed,
        "interval_width": model.interval_width,
        "provenance": vars(model.provenance) if model.provenance else None,
    }
    present = {key: value for key, value in content.items() if value != _OPTIONAL.get(key, content)}
    rest = json.dumps(present, separators=(",", ":"), allow_nan=False).encode()[1:]
    return _HEAD + hashlib.sha256(rest).hexdigest().encode() + _NECK + rest


def loads(content: bytes) -> Model:
    """The model behind ``dumps``'s bytes. Raises BadModel."""
    fields = Fields(_OPTIONAL | _body(content))
    model = Model(
        _parameters(fields),
        fields.checked("step", steps.valid, "nanoseconds or a rule"),
        fields.checked("seed", whole(0, 2**32 - 1), "a seed"),
        fields.checked("interval_width", lambda width: number(width) and 0 < width < 1, "between 0 and 1"),
        _provenance(fields.part("provenance")),
    )
    fields.none_left()
    return model


def _parameters(fields: Fields) -> Parameters:
    unit = fields.checked("unit", whole(1), "a number of nanoseconds")
    start, span, last = (
        fields.checked(key, whole(least, steps.LAST // unit), "a time before year 2262") * unit
        for key, least in (("start", -steps.LAST // unit), ("span", 1), ("last", -steps.LAST // unit))
    )
    offsets = [unit * step for step in accumulate(fields.list_of("changepoints", whole(0), "distances"))]
    if offsets and offsets[-1] > span:
        raise BadModel("changepoints lie after the last row")
    seasonalities = fields.list_of("seasonalities", _seasonality, "[name, period, order, mode, prior_scale]")
    holidays = fields.list_of("holidays", _holiday, "[name, mode, prior_scale]")
    columns = sum(2 * order for _, _, order, _, _ in seasonalities) + len(holidays)
    growth = fields.checked("growth", ("linear", "flat", "logistic").__contains__, "a growth of Prophet's")
    country = fields.checked("country", lambda value: value is None or text(value), "a country's code")
    cap = fields.checked("cap", lambda value: value is None or positive(value), "a positive number")
    if (growth == "logistic") != (cap is not None):
        raise BadModel(f"growth is {growth} and cap is {cap}: logistic growth needs one, no other has one")
    if holidays and country is None:
        raise BadModel("there are holidays, but no country")
    return Parameters(
        growth=growth,
        start=start,
        t_scale=span,
        y_scale=fields.checked("y_scale", positive, "a positive number"),
        k=float(fields.checked("k", number, "a number")),
        m=float(fields.checked("m", number, "a number")),
        sigma=fields.checked("sigma", positive, "a positive number"),
        changepoint_offsets=np.array(offsets, np.int64),
        delta=fields.numbers("delta", len(offsets)),
        seasonalities=tuple(Seasonality(*row) for row in seasonalities),
        holidays=tuple(Holiday(*row) for row in holidays),
        beta=fields.numbers("beta", columns),
        last=last,
        rows=fields.checked("rows", whole(2), "a number of rows"),
        country=country,
        cap=cap,
    )


def _provenance(fields: Fields | None) -> Provenance | None:
    if fields is None:
        return None
    found = Provenance(
        customer=fields.checked("customer", text, "a text"),
        fingerprint=fields.checked("fingerprint", text, "a text"),
        engine=fields.checked("engine", text, "a text"),
        options=fields.checked("options", lambda value: isinstance(value, dict), "an object"),
        mae=fields.checked("mae", number, "a number"),
        mape=fields.checked("mape", lambda value: value is None or number(value), "a number"),
    )
    fields.none_left()
    return found


def _body(content: bytes) -> dict[str, Any]:
    """What follows the sha256, once that is found to be its own."""
    size = len(_HEAD) + _DIGEST + len(_NECK)
    rest = content[size:]
    if content[:size] != _HEAD + hashlib.sha256(rest).hexdigest().encode() + _NECK:
        raise BadModel("not a model of this engine: it does not begin with the sha256 of what follows")
    try:
        body = json.loads(b"{" + rest, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadModel(f"not a model of this engine: {error}") from error
    if body.pop("format", None) != FORMAT:
        raise BadModel(f"another format of model; this engine reads 1 and {FORMAT}")
    return dict(body)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _seasonality(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 5:
        return False
    name, period, order, mode, prior_scale = row
    return (
        text(name) and positive(period) and whole(1, 1000)(order) and mode in _MODES and positive(prior_scale)
    )


def _holiday(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 3:
        return False
    return text(row[0]) and row[1] in _MODES and positive(row[2])
