"""The log density is Stan's own, to its last digits, at whatever parameters Stan stops."""

from __future__ import annotations

import numpy as np
import pytest

LIKE_STAN = """
import logging, warnings
logging.disable(logging.CRITICAL)
import numpy as np, pandas as pd
from prophet import Prophet
import posterior
from options import Options

generator = np.random.default_rng(0)
cases = [(731, "D", {}, {}), (90, "D", {"seasonality_mode": "multiplicative"}, {}), (300, "h", {"growth": "flat"}, {}),
         (60, "MS", {"n_changepoints": 0}, {}), (400, "D", {"changepoint_prior_scale": 3.0}, {"country": "DE"}),
         (100, "W", {"growth": "linear", "seasonality_prior_scale": 0.2}, {})]
for rows, step, chosen, more in cases:
    ds = pd.date_range("2021-05-03", periods=rows, freq=step).to_numpy()
    day = np.arange(rows)
    y = 20 + np.maximum(day - rows / 2, 0) * 0.1 + np.sin(2 * np.pi * day / 7) + generator.normal(size=rows)
    y[5] = np.nan
    model = Prophet(**chosen)
    if more:
        model.add_country_holidays(more["country"])
    model.fit(pd.DataFrame({"ds": ds, "y": y}), sig_figs=18)
    found, options = posterior.of_prophet(model), Options(**chosen)
    ours, stan = posterior.log_posterior(found, ds, y, options), model.stan_fit.optimized_params_dict["lp__"]
    # without changepoints what Prophet keeps of k is a sum, and how Stan had it divided is lost
    assert abs(ours - stan) < (1e-3 if chosen.get("n_changepoints") == 0 else 1e-9 * abs(stan)), (chosen, ours - stan)
    yhat = model.predict(pd.DataFrame({"ds": ds}))["yhat"].to_numpy()
    assert np.abs(posterior.fitted(found, ds) * found.y_scale - yhat).max() < 1e-12 * np.ptp(yhat)
"""


def test_it_is_stans(snippet, tmp_path):
    snippet(LIKE_STAN, tmp_path)


def test_without_changepoints_the_rate_is_taken_apart(module):
    """As one with Gaussian prior and one with Laplace prior, where their sum costs least."""
    posterior, options = module("posterior"), module("options")
    ds = np.datetime64("2024-01-01") + np.arange(30) * np.timedelta64(1, "D")
    y = np.linspace(0, 10, 30) + np.arange(30) % 3
    for tau in (0.05, 100.0):
        chosen = options.Options(n_changepoints=0, weekly_seasonality="false", changepoint_prior_scale=tau)
        found = module("map_fit").fit(ds, y, chosen)
        residual = y / found.y_scale - found.m - found.k * np.linspace(0, 1, 30)
        dummies = found.k * np.linspace(0, 1, 100_001)
        prior = (((found.k - dummies) ** 2) / 50 + np.abs(dummies) / tau).min() + found.m**2 / 50
        expected = -prior - 2 * found.sigma**2 - 30 * np.log(found.sigma)
        expected -= residual @ residual / (2 * found.sigma**2)
        assert posterior.log_posterior(found, ds, y, chosen) == pytest.approx(expected, abs=1e-8)
