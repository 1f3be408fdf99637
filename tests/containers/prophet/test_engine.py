"""Both engines keep the promises: quiet, repeatable, restorable, and clear about what they cannot fit."""

from __future__ import annotations

import pytest

PRELUDE = """
import glob, json, sys, tempfile
import numpy as np
import engine

generator = np.random.default_rng(0)
ds = np.datetime64("2023-01-01", "us") + np.arange(760) * np.timedelta64(1, "D")
y = 50 + 0.01 * np.arange(760) + 5 * np.sin(np.arange(760) * 2 * np.pi / 7) + generator.normal(size=760)

def fit(ds=ds, y=y, **options):
    return engine.fit(np.asarray(ds), np.asarray(y, float), engine.Options(**options))

def refused(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except (engine.CannotFit, engine.BadModel, OverflowError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("not refused")
"""


@pytest.mark.parametrize("kind", ["map", "stan"])
def test_quiet_repeatable_and_restorable(snippet, tmp_path, kind):
    ran = snippet(
        PRELUDE
        + f"""
one, other = fit(engine="{kind}"), fit(engine="{kind}")
content = engine.save(one)
assert content == engine.save(other), "the same input gives the same model"
assert len(content) < 2000
loaded = engine.load(content)
assert engine.save(loaded) == content
future = engine.future(one, 14)
assert future[0] == ds[-1] + np.timedelta64(1, "D") and len(future) == 14
wide, narrow, again = (engine.predict(loaded, future, width) for width in (0.95, None, 0.95))
first = engine.predict(one, future)
for name in ("yhat", "yhat_lower", "yhat_upper"):
    assert (getattr(first, name) == getattr(narrow, name)).all(), name
    assert (getattr(wide, name) == getattr(again, name)).all(), name
assert (wide.yhat_lower < narrow.yhat_lower).all() and (wide.yhat_upper > narrow.yhat_upper).all()
truth = 50 + 0.01 * np.arange(760, 774) + 5 * np.sin(np.arange(760, 774) * 2 * np.pi / 7)
assert np.abs(narrow.yhat - truth).max() < 1.0
assert np.abs(engine.fitted_values(loaded, ds) - y).mean() < 1.0
assert glob.glob(tempfile.gettempdir() + "/*/*") == [], "Stan leaves no files behind"
assert ("prophet" in sys.modules) == ("{kind}" == "stan") and ("pandas" in sys.modules) == ("{kind}" == "stan")
""",
        tmp_path,
    )
    assert ran.stdout + ran.stderr == ""


def test_the_engine_is_chosen_by_what_it_covers(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import map_fit, stan_engine

def used(**options):
    calls = []
    for module in (map_fit, stan_engine):
        given = module.fit
        module.fit = lambda *arguments, m=module, f=given: (calls.append(m.__name__), f(*arguments))[1]
        module.given = given
    fit(**options)
    for module in (map_fit, stan_engine):
        module.fit = module.given
    return calls

assert used() == used(engine="map") == used(growth="flat") == ["map_fit"]
assert used(engine="stan") == used(growth="logistic") == ["stan_engine"]
assert "possible: auto, stan" in refused(engine.check, engine.Options(engine="map", growth="logistic"))

map_fit._DOUBTFUL = 0.0
assert used() == ["map_fit", "stan_engine"]
assert "found no maximum" in refused(fit, engine="map")
""",
        tmp_path,
    )


STEPS = {  # dates -> the three that follow
    'np.arange("2024-01", "2027-01", dtype="datetime64[M]")': ["2027-01-01", "2027-02-01", "2027-03-01"],
    'np.arange("2024-01-01", "2024-12-01", 7, dtype="datetime64[D]")': ["2024-12-02", "2024-12-09", "2024-12-16"],
    'np.arange("2024-01-01", "2024-02-01", 15, dtype="datetime64[m]")': [
        "2024-02-01T00:00", "2024-02-01T00:15", "2024-02-01T00:30",
    ],
    'np.delete(np.arange("2024-01-01", "2024-02-01", dtype="datetime64[D]"), [28])': [
        "2024-02-01", "2024-02-02", "2024-02-03",
    ],
    '[d for d in np.arange("2024-01-01", "2024-03-02", dtype="datetime64[D]") if np.is_busday(d)]': [
        "2024-03-04", "2024-03-05", "2024-03-06",
    ],
}  # fmt: skip


def test_future_goes_on_as_the_history_went(snippet, tmp_path):
    cases = ", ".join(f"({dates}, {following})" for dates, following in STEPS.items())
    snippet(
        PRELUDE
        + f"""
for dates, following in [{cases}]:
    dates = np.array(dates).astype("datetime64[us]")
    model = fit(dates, generator.normal(size=len(dates)))
    found = engine.future(engine.load(engine.save(model)), 3)
    assert (found == np.array(following, "datetime64[ns]")).all(), found
""",
        tmp_path,
    )


def test_edges(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
for values in ([1, 2], [5] * 20, [0] * 20, [1e300, 1e-300] * 20, [-1e9] * 3 + [1e9]):
    model = fit(ds[:len(values)], values)
    forecast = engine.predict(engine.load(engine.save(model)), engine.future(model, 3))
    assert np.isfinite([forecast.yhat, forecast.yhat_lower, forecast.yhat_upper]).all(), values
assert "all 2 rows have the timestamp 2023-01-01" in refused(fit, ds[[0, 0]], [1, 2])
assert refused(fit, ds[:1], [1]) == "CannotFit: 1 usable rows, Prophet needs at least 2"
assert "beyond 1e+300" in refused(fit, ds[:2], [1e305, 1])
assert "growth=logistic needs a value above 0" in refused(fit, y=-y, growth="logistic")
assert refused(fit, y=np.where(y > 50, np.inf, y)).startswith("CannotFit: a value is not finite")
assert "too far ahead" in refused(engine.future, model, 10**6)
for content in (b"", b"{}", b"[]", b'{"format": 1, "prophet": {}}', b'{"format": 9}'):
    assert refused(engine.load, content).startswith("BadModel: "), content
assert "possible: none, " in refused(engine.check, engine.Options(country_holidays="Atlantis"))
engine.check(engine.Options(country_holidays="ES"))
assert engine.identity().startswith("prophet 1.")
""",
        tmp_path,
    )


def test_the_future_goes_on_in_steps_of_several_units(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import pandas as pd
for freq in ("2MS", "6ME", "2QS", "2D", "2W", "15min"):
    dates = pd.date_range("2010-01-31", periods=24, freq=freq)
    model = engine.load(engine.save(fit(dates[:20].to_numpy(), np.arange(20.0) % 3)))
    assert (engine.future(model, 4) == dates[20:].to_numpy()).all(), freq
""",
        tmp_path,
    )
