"""Exact intervals hold what they say of Prophet's own random future, drawn 400,000 times."""

from __future__ import annotations

import numpy as np
import pytest

DAY = 86_400_000_000_000
DRAWS = 400_000
WIDTHS = (0.05, 0.5, 0.8, 0.95, 0.99)


def terms_of(module, model, steps):
    stamps = module("steps").following(model.parameters.last, model.step, steps)
    return module("forecasting").terms(model.parameters, stamps)


def deviations(module, parameters, terms, rows):
    """How far draws of these future rows are from yhat, each line one row."""
    step, probability, mean = module("intervals")._changes(parameters, terms.t)
    generator = np.random.default_rng(1)
    rate, level = np.zeros(DRAWS), np.zeros(DRAWS)
    for row in range(rows[-1] + 1):
        change = generator.laplace(0, mean, DRAWS) * (generator.random(DRAWS) < probability)
        level += (rate + change / 2) * step
        rate += change
        if row in rows:
            trend = level * np.broadcast_to(1 + terms.multiplicative, len(terms.t))[row]
            yield np.abs(trend + generator.normal(0, parameters.sigma, DRAWS)) * parameters.y_scale


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [0, 6]),
        ({"sigma": 0.002}, [0, 29]),
        ({"sigma": 1e-9}, [0, 6]),
        ({"delta": np.linspace(-0.5, 0.5, 25)}, [6, 89]),
        ({"delta": np.zeros(25)}, [6]),
        ({"rows": 10, "t_scale": 9 * DAY, "last": 19732 * DAY, "changepoint_offsets": np.arange(25)}, [0, 6]),
    ],
    ids=("usual", "little noise", "no noise", "wild", "constant", "short"),
)
def test_coverage(module, make_model, changes, rows):
    model = make_model(**changes)
    terms = terms_of(module, model, rows[-1] + 1)
    half = {width: module("intervals").half_widths(model.parameters, terms, width) for width in WIDTHS}
    for row, drawn in zip(rows, deviations(module, model.parameters, terms, rows), strict=True):
        for width in WIDTHS:
            covered = (drawn <= half[width][row]).mean()
            assert covered == pytest.approx(width, abs=5 * (width * (1 - width) / DRAWS) ** 0.5 + 5e-4)
    if changes == {}:
        found = np.array([half[0.8][row] for row in rows])
        drawn = [np.quantile(each, 0.8) for each in deviations(module, model.parameters, terms, rows)]
        assert found == pytest.approx(drawn, rel=4e-3)


def test_what_multiplies_the_trend_widens_its_uncertainty(module, make_model):
    season = module("parameters").Seasonality("weekly", 7.0, 1, "multiplicative", 10.0)
    model = make_model(seasonalities=(season,), beta=np.array([0.9, 0.5]), sigma=0.001)
    terms = terms_of(module, model, 14)
    half = module("intervals").half_widths(model.parameters, terms, 0.8)
    rows = [7, 10, 13]
    for row, drawn in zip(rows, deviations(module, model.parameters, terms, rows), strict=True):
        assert (drawn <= half[row]).mean() == pytest.approx(0.8, abs=0.004)


def test_wider_is_wider_and_later_is_wider(module, make_model):
    for sigma in (0.05, 1e-3, 1e-9):
        model = make_model(sigma=sigma)
        terms = terms_of(module, model, 100)
        half = [module("intervals").half_widths(model.parameters, terms, width) for width in WIDTHS]
        assert (np.diff(half, axis=0) > 0).all()
        assert (np.diff(half[3]) > -1e-9 * half[3][1:]).all()


def test_the_past_and_a_flat_trend_have_noise_only(module, make_model):
    noise = pytest.approx(0.05 * 60 * 1.2815515655446004, rel=1e-12)
    model = make_model()
    past = np.datetime64("2024-02-01", "D") + np.arange(5)
    terms = module("forecasting").terms(model.parameters, past)
    assert list(module("intervals").half_widths(model.parameters, terms, 0.8)) == [noise] * 5
    flat = make_model(growth="flat")
    assert module("intervals").half_widths(flat.parameters, terms_of(module, flat, 1), 0.8)[0] == noise


def test_ten_thousand_steps_need_little_memory(module, make_model):
    model = make_model(delta=np.linspace(-0.5, 0.5, 25))
    half = module("intervals").half_widths(model.parameters, terms_of(module, model, 10_000), 0.8)
    assert np.isfinite(half).all() and (np.diff(half) > 0).all()


def test_samples_and_exact_agree(module, make_model):
    model = make_model()
    terms = terms_of(module, model, 30)
    exact = module("intervals").of(model.parameters, terms, 0.8)
    one, again, other = (module("intervals").of(model.parameters, terms, 0.8, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert np.array(one) == pytest.approx(np.array(exact), abs=0.15 * (exact[1] - exact[0]).max())
