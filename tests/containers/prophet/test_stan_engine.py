"""Prophet as the other engine: options reach it, and what it found forecasts as it does."""

from __future__ import annotations

PRELUDE = """
import numpy as np
import engine, posterior, stan_engine, steps
from options import Options

generator = np.random.default_rng(0)
ds = np.datetime64("2023-01-01", "us") + np.arange(760) * np.timedelta64(1, "D")
y = 50 + 0.01 * np.arange(760) + 5 * np.sin(np.arange(760) * 2 * np.pi / 7) + generator.normal(size=760)
"""


def test_options_reach_prophet(snippet, tmp_path):
    ran = snippet(
        PRELUDE
        + """
model = stan_engine.fit_prophet(ds, y, Options(
    growth="flat", seasonality_mode="multiplicative", yearly_seasonality="false",
    weekly_seasonality="true", daily_seasonality="false", changepoint_prior_scale=0.5,
    seasonality_prior_scale=3.0, holidays_prior_scale=2.0, n_changepoints=7, changepoint_range=0.5,
    interval_width=0.6, country_holidays="ES"))
assert (model.growth, model.seasonality_mode, model.n_changepoints) == ("flat", "multiplicative", 7)
assert (model.changepoint_prior_scale, model.seasonality_prior_scale, model.holidays_prior_scale) == (0.5, 3.0, 2.0)
assert (model.changepoint_range, model.interval_width, model.country_holidays) == (0.5, 0.6, "ES")
assert list(model.seasonalities) == ["weekly"]
try:
    stan_engine.fit(ds, -y, Options(growth="logistic"))
except engine.CannotFit as error:
    assert str(error) == "growth=logistic needs a value above 0, all are 0 or less"
""",
        tmp_path,
    )
    assert ran.stdout + ran.stderr == ""


def test_forecasts_are_prophets(snippet, tmp_path):
    """yhat, and with its seed and samples the intervals: to 1e-12 of the range, for all that it may fit."""
    snippet(
        PRELUDE
        + """
import pandas as pd

hours = np.datetime64("2023-01-01", "us") + np.arange(500) * np.timedelta64(1, "h")
cases = [
    (ds, y, {}),
    (ds, y, {"seasonality_mode": "multiplicative", "country_holidays": "US"}),
    (ds, y, {"country_holidays": "ES", "n_changepoints": 0, "interval_width": 0.5, "seed": 7}),
    (ds, y, {"growth": "flat", "weekly_seasonality": "false", "yearly_seasonality": "false"}),
    (ds[:200], np.arange(200.0) + y[:200], {"growth": "logistic", "cap_factor": 1.5}),
    (hours, generator.normal(size=500), {}),
    (ds[:20], np.full(20, 5.0), {}),
]
for dates, values, chosen in cases:
    options = Options(**chosen)
    prophet = stan_engine.fit_prophet(dates, values, options)
    parameters = stan_engine.parameters_of(prophet)
    model = engine.Model(parameters, steps.infer(dates), options.seed, options.interval_width)
    model = engine.load(engine.save(model))
    close = dict(rtol=0, atol=1e-12 * (np.ptp(values) or 1))
    for asked in (1, 40):
        stamps = np.concatenate([dates[-asked // 2 :].astype("datetime64[ns]"), engine.future(model, asked)])
        frame = pd.DataFrame({"ds": stamps, "cap": parameters.cap})
        np.random.seed(options.seed)
        theirs = prophet.predict(frame)
        ours = engine.predict(model, stamps, sampled=True)
        for name in ("yhat", "yhat_lower", "yhat_upper"):
            np.testing.assert_allclose(getattr(ours, name), theirs[name], **close, err_msg=f"{chosen} {name}")
    prophet.uncertainty_samples = 0
    np.testing.assert_allclose(engine.fitted_values(model, dates), prophet.predict()["yhat"], **close)
""",
        tmp_path,
    )


def test_the_first_format_is_still_read(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import json
import pandas as pd
from prophet.serialize import model_to_dict

prophet = stan_engine.fit_prophet(ds, y, Options(interval_width=0.7))
content = {"format": 1, "step": "D", "seed": 3, "prophet": model_to_dict(prophet)}
model = engine.load(json.dumps(content).encode())
assert (model.step, model.seed, model.interval_width, model.provenance) == (steps.DAY, 3, 0.7, None)
stamps = engine.future(model, 14)
assert stamps[0] == ds[-1] + np.timedelta64(1, "D")
np.random.seed(3)
theirs = prophet.predict(pd.DataFrame({"ds": stamps}))
ours = engine.predict(model, stamps, sampled=True)
for name in ("yhat", "yhat_lower", "yhat_upper"):
    np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=1e-9)
assert engine.load(engine.save(model)).step == model.step
for damaged in (b'{"format": 1, "prophet": {}}', b'{"format": 1, '):
    try:
        engine.load(damaged)
    except engine.BadModel as error:
        assert str(error).startswith("not a model of this engine: ")
    else:
        raise AssertionError(damaged)
""",
        tmp_path,
    )
