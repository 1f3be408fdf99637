"""One customer judged: its model forecasts the readings that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accuracy
import customers
import engine
import numpy as np

from trainyard.in_image.archives import BadArchive, read_archive

CONTEXT, LEAST = 4, 28  # of the history, a chart shows so many horizons, or so many readings


@dataclass(frozen=True)
class Task:
    """A customer's files; ``archive`` is None when no model was trained."""

    train: Path
    test: Path
    archive: Path | None


@dataclass(frozen=True)
class Score:
    """One customer's accuracy, and the arrays to draw and to sum up. ``mase`` is None where undefined."""

    customer: str
    stem: str
    points: int
    season: int
    mae: float
    rmse: float
    smape: float
    mase: float | None
    coverage: float
    naive_mae: float
    interval_width: float
    forecast: engine.Forecast
    actual: np.ndarray[Any, Any]
    history_ds: np.ndarray[Any, Any]
    history_y: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Unscored:
    """A customer whose forecast could not be judged; ``reason`` says why."""

    customer: str
    stem: str
    reason: str


def score_batch(tasks: list[Task]) -> list[Score | Unscored]:
    return [score_customer(task) for task in tasks]


def score_customer(task: Task) -> Score | Unscored:
    """Forecast at the held-out timestamps and compare. Raises OSError when a file cannot be read."""
    stem = customers.stem_of(task.test)
    try:
        test = customers.read_series(task.test)
        if task.archive is None:
            return Unscored(test.customer, stem, "no model was trained")
        history = customers.read_series(task.train)
        model = engine.load(read_archive(task.archive)["model.json"])
    except KeyError:
        return Unscored(customers.customer_of(stem), stem, f"{task.archive} holds no model.json")
    except (BadArchive, customers.BadSeries, engine.BadModel) as error:
        return Unscored(customers.customer_of(stem), stem, str(error))
    if not len(test.y):
        return Unscored(test.customer, stem, "its file of held-out readings has none")
    forecast = engine.predict(model, test.ds)
    season = accuracy.season_length(history.ds)
    naive = accuracy.seasonal_naive(history.y, season, len(test.y))
    shown = max(CONTEXT * len(test.y), LEAST)
    return Score(
        customer=test.customer,
        stem=stem,
        points=len(test.y),
        season=season,
        mae=accuracy.mae(test.y, forecast.yhat),
        rmse=accuracy.rmse(test.y, forecast.yhat),
        smape=accuracy.smape(test.y, forecast.yhat),
        mase=accuracy.mase(test.y, forecast.yhat, accuracy.naive_scale(history.y, season)),
        coverage=accuracy.coverage(test.y, forecast.yhat_lower, forecast.yhat_upper),
        naive_mae=accuracy.mae(test.y, naive),
        interval_width=model.interval_width,
        forecast=forecast,
        actual=test.y,
        history_ds=history.ds[-shown:],
        history_y=history.y[-shown:],
    )
