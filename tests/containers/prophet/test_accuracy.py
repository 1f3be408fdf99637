"""The measures, against numbers worked out by hand and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def accuracy(module):
    return module("accuracy")


def test_by_hand(accuracy):
    actual, forecast = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 1.0])
    assert accuracy.mae(actual, forecast) == pytest.approx(4 / 3)
    assert accuracy.rmse(actual, forecast) == pytest.approx((10 / 3) ** 0.5)
    assert accuracy.smape(actual, forecast) == pytest.approx(200 / 3 * (1 / 3 + 0 + 3 / 5))
    assert accuracy.mase(actual, forecast, 2.0) == pytest.approx(2 / 3)
    assert accuracy.coverage(actual, forecast - 1, forecast) == pytest.approx(2 / 3)


def test_naive_scale(accuracy):
    history = np.array([1.0, 5.0, 2.0, 7.0, 1.0])
    assert accuracy.naive_scale(history, 2) == pytest.approx((1 + 2 + 1) / 3)
    assert accuracy.naive_scale(history, 7) == pytest.approx((4 + 3 + 5 + 6) / 4)  # too short: a season of 1
    assert accuracy.naive_scale(np.full(9, 5.0), 2) is None
    assert accuracy.naive_scale(np.array([5.0]), 1) is None
    assert accuracy.mase(history, history, None) is None


def test_seasonal_naive(accuracy):
    assert accuracy.seasonal_naive(np.array([9.0, 1, 2, 3]), 3, 5).tolist() == [1, 2, 3, 1, 2]
    assert accuracy.seasonal_naive(np.array([1.0, 2]), 7, 2).tolist() == [2, 2]


@given(FLOATS, st.integers(1, 9))
def test_forecasting_with_the_naive_forecast_in_sample_has_mase_1(accuracy, values, season):
    history = np.array(values)
    scale = accuracy.naive_scale(history, season)
    lag = season if len(history) > season else 1
    if scale is not None:
        assert accuracy.mase(history[lag:], history[:-lag], scale) == pytest.approx(1.0)


@given(FLOATS, st.randoms())
def test_bounds(accuracy, values, random):
    actual = np.array(values)
    forecast = np.array([random.choice([value, 0.0, -value, value * 1.1]) for value in values])
    assert 0 <= accuracy.smape(actual, forecast) <= 200 + 1e-9
    assert accuracy.mae(actual, forecast) <= accuracy.rmse(actual, forecast) * (1 + 1e-9) + 1e-12
    assert accuracy.smape(actual, actual) == accuracy.mae(actual, actual) == 0


@pytest.mark.parametrize(
    ("step", "season"),
    [(np.timedelta64(15, "m"), 96), (np.timedelta64(1, "h"), 24), (np.timedelta64(1, "D"), 7),
     (np.timedelta64(7, "D"), 52), (np.timedelta64(3, "D"), 1), (np.timedelta64(365, "D"), 1)],
)  # fmt: skip
def test_season_length(accuracy, step, season):
    ds = np.datetime64("2024-01-01", "us") + step * np.arange(40)
    assert accuracy.season_length(ds) == season
    assert accuracy.season_length(np.delete(ds, [3, 4, 20])) == season  # gaps do not matter
    assert accuracy.season_length(ds[:1]) == 1


@pytest.mark.parametrize(("unit", "season"), [("M", 12), ("Q", 4)])
def test_season_length_of_calendar_steps(accuracy, unit, season):
    months = np.arange(0, 60, 3 if unit == "Q" else 1)
    ds = (np.datetime64("2020-01", "M") + months).astype("datetime64[us]")
    assert accuracy.season_length(ds) == season
