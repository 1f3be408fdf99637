"""All customers' scores as the numbers that a gate, a registry or a person looks at."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scoring import Score, Unscored

MEASURES = ("mase", "smape", "mae", "rmse")
COLUMNS = ("customer", "points", "season", "mase", "smape", "mae", "rmse", "coverage", "naive_mae", "status")
_SAMPLES, _SHARE, _ENOUGH = 5, 0.8, 200  # AWS: "Model quality metrics", on standard deviation


def overall(scores: Sequence[Score], unscored: Sequence[Unscored]) -> dict[str, Any]:
    """The headline: median and mean of each measure over customers, coverage over all held-out readings.

    A customer without a defined MASE is left out of it and counted. Needs one score at least.
    """
    summary: dict[str, Any] = {}
    for measure in MEASURES:
        known = [value for score in scores if (value := getattr(score, measure)) is not None]
        summary[measure] = (
            {"median": _number(np.median(known)), "mean": _number(np.mean(known))} if known else None
        )
    points = np.array([score.points for score in scores])
    return summary | {
        "coverage": float(np.average([score.coverage for score in scores], weights=points)),
        "interval_width": float(np.median([score.interval_width for score in scores])),
        "better_than_naive": float(np.mean([score.mae < score.naive_mae for score in scores])),
        "points": int(points.sum()),
        "customers": len(scores),
        "failed": len(unscored),
        "mase_undefined": sum(score.mase is None for score in scores),
    }


def by_step(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Coverage and median absolute percentage error for each step ahead, over the customers that have it."""
    steps = []
    for step in range(max(score.points for score in scores)):
        there = [score for score in scores if score.points > step]
        actual = np.array([score.actual[step] for score in there])
        yhat, lower, upper = (
            np.array([getattr(score.forecast, name)[step] for score in there])
            for name in ("yhat", "yhat_lower", "yhat_upper")
        )
        known = actual != 0
        error = np.abs(actual - yhat)[known] / np.abs(actual[known])
        steps.append(
            {
                "step": step + 1,
                "customers": len(there),
                "coverage": float(np.mean((actual >= lower) & (actual <= upper))),
                "median_ape": float(np.median(error) * 100) if len(error) else None,
            }
        )
    return steps


def model_quality(scores: Sequence[Score]) -> dict[str, Any]:
    """SageMaker Model Monitor's regression metrics over all held-out readings of all customers together.

    Standard deviations as Model Monitor has them: of five random samples of 80 %, "NaN" below 200 readings.
    Source: SageMaker Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring".
    """
    actual = np.concatenate([score.actual for score in scores])
    forecast = np.concatenate([score.forecast.yhat for score in scores])
    value = _regression(actual, forecast)
    generator = np.random.default_rng(0)
    size = int(_SHARE * len(actual))
    samples = []
    for _ in range(_SAMPLES if len(actual) >= _ENOUGH else 0):
        rows = generator.choice(len(actual), size, replace=False)
        samples.append(_regression(actual[rows], forecast[rows]))
    return {
        "regression_metrics": {
            name: {
                "value": _number(number),
                "standard_deviation": _number(np.std([sample[name] for sample in samples]))
                if samples
                else "NaN",
            }
            for name, number in value.items()
        }
    }


def forecast_quality(overall: Mapping[str, Any]) -> dict[str, Any]:
    """What reviewers judge a forecast by, in a group of its own: those of ``regression_metrics`` are fixed."""
    values = {f"median_{name}": overall[name]["median"] for name in ("mase", "smape") if overall[name]}
    values |= {name: overall[name] for name in ("coverage", "customers", "failed")}
    return {"forecast_metrics": {name: {"value": value} for name, value in values.items()}}


def write_csv(path: Path, scores: Sequence[Score], unscored: Sequence[Unscored]) -> None:
    """One line per customer; empty where a measure is undefined, ``status`` says why one was not scored."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*(getattr(score, name) for name in COLUMNS[:-1]), "ok"] for score in scores)
        blank = [""] * (len(COLUMNS) - 2)
        writer.writerows([failure.customer, *blank, failure.reason] for failure in unscored)


def _regression(actual: np.ndarray[Any, Any], forecast: np.ndarray[Any, Any]) -> dict[str, float]:
    error = actual - forecast
    mse = float(np.mean(error**2))
    spread = float(np.mean((actual - actual.mean()) ** 2))
    r2 = 1 - mse / spread if spread > 0 else float("nan")
    return {"mae": float(np.mean(np.abs(error))), "mse": mse, "rmse": mse**0.5, "r2": r2}


def _number(value: Any) -> float | str:
    """JSON has no NaN; Model Monitor writes it as text."""
    return float(value) if np.isfinite(value) else "NaN"
