"""The forecast by hand; that it is Prophet's, test_stan_engine.py shows."""

from __future__ import annotations

import numpy as np
import pytest


def days(count):
    return np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "D")


def test_a_line_with_a_bend(module, make_model):
    day = 86_400_000_000_000
    parameters = make_model(
        seasonalities=(), beta=np.empty(0), k=2.0, m=1.0, changepoint_offsets=np.array([365 * day]),
        delta=np.array([-1.0]), y_scale=10.0,
    ).parameters  # fmt: skip
    yhat = module("forecasting").yhat(parameters, days(1461))
    assert yhat[[0, 365, 730, 1460]] == pytest.approx([10, 20, 25, 35], rel=1e-15)


@pytest.mark.parametrize(("mode", "expected"), [("additive", 3.5), ("multiplicative", 4.5)])
def test_a_season_adds_or_multiplies(module, make_model, mode, expected):
    season = module("parameters").Seasonality("daily", 1.0, 1, mode, 10.0)
    parameters = make_model(
        growth="flat", m=3.0, seasonalities=(season,), beta=np.array([0.5, 0.25]), y_scale=1.0
    ).parameters
    six = np.array(["2024-03-01T06:00"], "datetime64[m]")  # a quarter of a turn: all sine
    assert module("forecasting").yhat(parameters, six) == pytest.approx(expected, rel=1e-9)


def test_growth_ends_at_the_cap(module, make_model):
    parameters = make_model(
        growth="logistic", cap=120.0, k=5.0, seasonalities=(), beta=np.empty(0), delta=np.full(25, 0.1)
    ).parameters
    yhat = module("forecasting").yhat(parameters, days(3000))
    assert (np.diff(yhat) >= 0).all() and yhat[-1] == pytest.approx(120.0) and yhat[0] < 20
    assert np.abs(np.diff(yhat)).max() < 0.5, "the curve has no step at a changepoint"


@pytest.mark.parametrize("changes", [{}, {"growth": "flat"}, {"seasonalities": (), "beta": np.empty(0)}])
@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_many_at_once_are_as_each_alone(module, make_model, changes, mode):
    if "beta" not in changes:
        seasons = [module("parameters").Seasonality("weekly", 7.0, 3, mode, 10.0)]
        changes = changes | {"seasonalities": tuple(seasons), "beta": np.linspace(-0.1, 0.1, 6)}
    several = [
        make_model(k=rate, y_scale=scale, **changes).parameters for rate, scale in ((0.1, 60.0), (-0.3, 7.0))
    ]
    together = module("forecasting").yhat_of_many(several, days(731))
    for one, yhat in zip(several, together, strict=True):
        assert yhat == pytest.approx(module("forecasting").yhat(one, days(731)), rel=1e-12, abs=1e-12)
