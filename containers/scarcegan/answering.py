"""From the rows of a request to scores, classes and decisions, as evaluation has judged them. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import days as written_days
import features
import model_archives
import numpy as np
import scaling
from model_files import Model
from request_tables import Table

from trainyard.in_image.handler_errors import BadRequest

Array = np.ndarray[Any, Any]

USER, DAY = "user", "day"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Served:
    """One model, or all of a job; their ``scaler`` is the same. ``threshold`` is the mean of theirs."""

    models: list[Model]
    scaler: scaling.Scaler
    threshold: float
    classes: Array  # names, "unknown" last


@dataclass(frozen=True)
class Answers:
    """One answer per row, or per user of telemetry in the order in which they come.

    ``score`` is the mean of ``scores`` by model. Where a user's history is too short it is NaN, ``decided`` is "", and
    the user is not flagged. ``named``: whether the request named its columns.
    """

    users: list[str] | None
    score: Array
    decided: Array
    flagged: Array
    scores: dict[str, Array]
    named: bool


def load(folder: Path) -> Served:
    """Raises BadModel, BadScaler."""
    models = model_archives.load(folder)
    scaler = scaling.from_json(models[0].details["scaler"])
    threshold = float(np.mean([model.threshold for model in models]))
    return Served(models, scaler, threshold, np.array([*models[0].class_names, UNKNOWN]))


def answer(served: Served, table: Table) -> Answers:
    """Raises BadRequest for rows that are neither the features that the model takes nor what they are made from."""
    if served.scaler.counters and DAY in table.names:
        users, known, values = _of_telemetry(served.scaler, table)
    else:
        users = table.texts(USER) if USER in table.names else None
        values = _of_features(served.scaler, table)
        known = np.ones(len(values), bool)
    rows = served.scaler(values)
    probabilities = [model.probabilities(rows) for model in served.models]
    scores = {
        model.name: _spread(known, answers[:, model.details["risky"]], np.nan)
        for model, answers in zip(served.models, probabilities, strict=True)
    }
    score = np.mean(list(scores.values()), axis=0, dtype=np.float64)
    likeliest = np.sum(probabilities, axis=0, dtype=np.float64).argmax(axis=1)
    decided = _spread(known, served.classes[likeliest], "")
    return Answers(users, score, decided, score >= served.threshold, scores, bool(table.names))


def _of_features(scaler: scaling.Scaler, table: Table) -> Array:
    if not table.names and len(table.columns) != len(scaler.columns):
        raise BadRequest(
            f"rows have {len(table.columns)} values, the model takes {len(scaler.columns)} features: "
            f"{', '.join(scaler.columns)}"
        )
    _check(table, scaler.columns, scaler)
    return table.numbers(scaler.columns)


def _of_telemetry(scaler: scaling.Scaler, table: Table) -> tuple[list[str], Array, Array]:
    """The users, which of them have history enough, and the features of those."""
    _check(table, (USER, DAY, *scaler.counters), scaler)
    names, first, place = np.unique(table.texts(USER), return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    try:
        found = features.extract(number[place], _days(table), table.numbers(scaler.counters))
    except features.TooLong as error:
        user, begin, end = error.args
        raise BadRequest(
            f"user {str(names[order[user]])!r} has {end - begin + 1:,} days from first to last, more than "
            f"{features.MAX_SPAN:,}"
        ) from error
    known = np.zeros(len(order), bool)
    known[found.code] = True
    return names[order].tolist(), known, scaler.pick(found.values, features.columns(scaler.counters))


def _days(table: Table) -> Array:
    texts = table.texts(DAY)  # of datetime64, too
    found = written_days.read(texts)[0]
    if None in found:
        row = found.index(None)
        raise BadRequest(f"row {row + 1}: {texts[row]!r:.100} is no day; {written_days.POSSIBLE}")
    return np.array(found, np.int64)


def _check(table: Table, needed: tuple[str, ...], scaler: scaling.Scaler) -> None:
    lacks = [name for name in needed if name not in table.names] if table.names else []
    if lacks:
        ways = f"{', '.join(scaler.columns)}"
        if scaler.counters:
            ways = f"{', '.join((USER, DAY, *scaler.counters))}; or {ways}"
        raise BadRequest(f"no column {', '.join(map(repr, lacks[:5]))}; the model takes {ways}")


def _spread(known: Array, values: Array, otherwise: Any) -> Array:
    """``values``, which are those of ``known`` rows, and ``otherwise`` for all others."""
    if known.all():
        return values
    every = np.full(len(known), otherwise, values.dtype)
    every[known] = values
    return every
