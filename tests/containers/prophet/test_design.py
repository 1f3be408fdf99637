"""The columns are Prophet's: its rules are tried on the histories where they turn."""

from __future__ import annotations

import numpy as np
import pytest

DAY = np.timedelta64(1, "D")
START = np.datetime64("2023-01-01", "ns")


def daily(rows):
    return START + np.arange(rows) * DAY


@pytest.fixture
def of(module):
    def of(ds, **options):
        return module("design").of(ds, module("options").Options(**options))

    return of


@pytest.mark.parametrize(
    ("ds", "names"),
    [
        (daily(730), ["weekly"]),  # 729 days
        (daily(731), ["yearly", "weekly"]),
        (daily(14), []),
        (daily(15), ["weekly"]),
        (START + np.arange(49) * np.timedelta64(1, "h"), ["daily"]),
        (START + np.arange(48) * np.timedelta64(1, "h"), []),
        (START + np.arange(40) * 7 * DAY, []),
        (np.sort(np.append(daily(20), daily(20)[5] + np.timedelta64(1, "s"))), ["weekly", "daily"]),
        (np.repeat(daily(20), 2), ["weekly"]),  # no step of nothing
    ],
)
def test_what_auto_switches_on(of, ds, names):
    assert [season.name for season in of(ds).seasonalities] == names


def test_switches(of):
    chosen = {"yearly_seasonality": "true", "weekly_seasonality": "false", "seasonality_prior_scale": 3.0}
    (season,) = of(daily(100), **chosen).seasonalities
    assert (season.name, season.period, season.order, season.prior_scale) == ("yearly", 365.25, 10, 3.0)


@pytest.mark.parametrize(("rows", "expected"), [(731, 25), (33, 25), (31, 23), (5, 3), (3, 1), (2, 0)])
def test_changepoints_are_as_many_as_there_is_room_for(of, rows, expected):
    offsets = of(daily(rows)).changepoint_offsets
    assert len(offsets) == expected
    assert (offsets > 0).all() and (offsets <= 0.8 * rows * DAY.astype("timedelta64[ns]").astype(int)).all()


def test_features(of):
    design = of(daily(731))
    assert design.features.shape == (2 + 20 + 6 + 25, 731)
    t = np.arange(731) / 730
    moments = daily(731).astype(np.int64) / 86_400e9
    assert np.allclose(design.features[0], t) and (design.features[1] == 1).all()
    for order in range(1, 11):
        angle = order / 365.25 * 2 * np.pi * moments
        assert np.abs(design.features[2 * order] - np.sin(angle)).max() < 1e-11
        assert np.abs(design.features[2 * order + 1] - np.cos(angle)).max() < 1e-11
    hinges = np.maximum(t - design.changepoint_offsets[:, None] / design.t_scale, 0)
    assert np.allclose(design.features[-25:], hinges, atol=1e-15)
    assert design.precision.tolist() == [0.04, 0.04] + [0.01] * 26
    assert np.allclose(design.gram, design.features @ design.features.T)


def test_changepoints_at_one_moment_share_a_hinge(of):
    design = of(np.repeat(daily(10), 5))
    assert len(design.changepoint_offsets) == 25
    assert len(design.hinge_of) == len(set(design.changepoint_offsets)) == len(design.features) - 2
    assert (np.diff(design.changepoint_offsets[design.hinge_of]) > 0).all()


def test_without_changepoints_there_is_prophets_dummy(of):
    design = of(daily(20), n_changepoints=0, weekly_seasonality="false")
    assert len(design.changepoint_offsets) == 0
    assert (design.features[2] == design.features[0]).all() and len(design.features) == 3


def test_flat_growth_has_neither_rate_nor_hinges(of):
    design = of(daily(20), growth="flat")
    assert len(design.features) == 1 + 6 == len(design.precision)
    assert len(design.changepoint_offsets) == 15  # which Prophet keeps all the same


def test_too_little(of, module):
    cannot = module("options").CannotFit
    with pytest.raises(cannot, match="1 usable rows, Prophet needs at least 2"):
        of(daily(1))
    with pytest.raises(cannot, match="all 3 rows have the timestamp 2023-01-01"):
        of(daily(3)[[0, 0, 0]])


def test_all_of_it_is_prophets(snippet, tmp_path):
    snippet(
        """
import logging, numpy as np, pandas as pd
logging.disable(logging.CRITICAL)
from prophet import Prophet
import design
from options import Options

start, generator = np.datetime64("2021-03-05", "ns"), np.random.default_rng(0)
second = np.timedelta64(1, "s")
random = np.sort(start + generator.integers(0, 800 * 86400, 300) * second)
hourly = start + np.arange(500) * 3600 * second
cases = [(random, {}), (hourly, {"n_changepoints": 7, "changepoint_range": 0.93}),
         (random[::3], {"country_holidays": "US", "holidays_prior_scale": 2.5, "seasonality_prior_scale": 0.3}),
         (hourly, {"country_holidays": "ES", "yearly_seasonality": "true", "growth": "flat"})]
for ds, chosen in cases:
    ours = design.of(ds, Options(**chosen))
    country = chosen.pop("country_holidays", None)
    switches = {name: value == "true" for name, value in chosen.items() if name.endswith("_seasonality")}
    model = Prophet(**chosen | switches)
    if country:
        model.add_country_holidays(country)
    theirs = model.preprocess(pd.DataFrame({"ds": ds, "y": np.arange(len(ds)) / 7}))
    trend = 1 if model.growth == "flat" else 2
    regressors = ours.features[trend : len(ours.precision)]
    assert np.abs(regressors.T - theirs.X.to_numpy()).max() < 1e-10
    assert np.allclose(ours.precision[trend:] ** -0.5, theirs.sigmas, rtol=1e-12)
    assert (ours.changepoint_offsets / ours.t_scale == theirs.t_change).all()
    assert (ours.start, ours.t_scale) == (model.start.value, model.t_scale.value)
    if trend == 2:
        assert np.abs(ours.features[0] - theirs.t).max() < 1e-15
""",
        tmp_path,
    )
