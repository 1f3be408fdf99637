"""Many scores become one evaluation."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest


@pytest.fixture
def scores(make_score):
    return [
        make_score("a", 0.5, error=1.0),
        make_score("b", None, error=-3.0, points=2),
        make_score("c", 2.5, error=1.0),
    ]


def test_overall(module, scores):
    unscored = [module("scoring").Unscored("d", "d", "no model was trained")]
    overall = module("aggregate").overall(scores, unscored)
    assert overall["mase"] == {"median": 1.5, "mean": 1.5}
    assert overall["mae"] == {"median": 1.0, "mean": pytest.approx(5 / 3)}
    assert overall["coverage"] == pytest.approx(0.8)
    assert overall["better_than_naive"] == pytest.approx(2 / 3)
    assert (overall["customers"], overall["failed"], overall["mase_undefined"], overall["points"]) == (
        3,
        1,
        1,
        10,
    )
    assert json.loads(json.dumps(overall, allow_nan=False)) == overall


def test_without_any_mase(module, make_score):
    assert module("aggregate").overall([make_score("a", None)], [])["mase"] is None


def test_by_step(module, scores):
    steps = module("aggregate").by_step(scores)
    assert [(step["step"], step["customers"]) for step in steps] == [(1, 3), (2, 3), (3, 2), (4, 2)]
    assert [step["coverage"] for step in steps] == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert steps[0]["median_ape"] == pytest.approx(10.0)


def test_model_quality(module, scores):
    metrics = module("aggregate").model_quality(scores)["regression_metrics"]
    assert set(metrics) == {"mae", "mse", "rmse", "r2"}
    assert metrics["mse"]["value"] == pytest.approx((8 + 18) / 10)
    assert metrics["rmse"]["value"] == pytest.approx(2.6**0.5)
    actual = np.concatenate([score.actual for score in scores])
    assert metrics["r2"]["value"] == pytest.approx(1 - 2.6 / actual.var())
    assert {metric["standard_deviation"] for metric in metrics.values()} == {"NaN"}, "below 200 readings"


def test_forecast_quality(module, scores):
    aggregate = module("aggregate")
    overall = aggregate.overall(scores, [])
    metrics = aggregate.forecast_quality(overall)["forecast_metrics"]
    assert metrics["median_mase"] == {"value": overall["mase"]["median"]}
    assert set(metrics) == {"median_mase", "median_smape", "coverage", "customers", "failed"}
    assert "median_mase" not in aggregate.forecast_quality(overall | {"mase": None})["forecast_metrics"]


def test_model_quality_of_many_readings_has_deviations(module, make_score):
    scores = [make_score(str(number), 1.0, error=number / 10) for number in range(60)]
    metrics = module("aggregate").model_quality(scores)["regression_metrics"]
    assert 0 < metrics["mae"]["standard_deviation"] < 0.2 * metrics["mae"]["value"]
    assert metrics == module("aggregate").model_quality(scores)["regression_metrics"]


def test_a_single_reading_has_no_r2(module, make_score):
    metrics = module("aggregate").model_quality([make_score("a", 1.0, points=1)])["regression_metrics"]
    assert metrics["r2"]["value"] == "NaN"


def test_per_customer(module, scores, tmp_path):
    unscored = [module("scoring").Unscored('odd, "id"\n', "x", "no model was trained")]
    module("aggregate").write_csv(tmp_path / "c.csv", scores, unscored)
    with (tmp_path / "c.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["customer"], row["mase"], row["status"]) for row in rows] == [
        ("a", "0.5", "ok"), ("b", "", "ok"), ("c", "2.5", "ok"), ('odd, "id"\n', "", "no model was trained"),
    ]  # fmt: skip
