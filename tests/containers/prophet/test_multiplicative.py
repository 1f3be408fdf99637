"""Multiplicative terms: wherever the solver stops, no step in any direction is a step up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest


def readings(kind, rows=250, seed=0):
    generator, day = np.random.default_rng(seed), np.arange(rows)
    season = 1 + 0.3 * np.sin(2 * np.pi * day / 7)
    trend = {
        "level": np.full(rows, 5.0),
        "growing": 1 + day / 50,
        "crossing zero": day / 50 - 2,
        "none": 0 * day,
    }[kind]
    return np.datetime64("2023-01-01") + day * np.timedelta64(1, "D"), trend * season + generator.normal(
        size=rows
    ) * 0.2


def neighbours(found):
    """The parameters with one of them a little different."""
    for name in ("k", "m", "sigma"):
        for step in (-1e-4, 1e-4):
            yield dataclasses.replace(found, **{name: getattr(found, name) + step * found.sigma})
    for name in ("delta", "beta"):
        for each in range(len(getattr(found, name))):
            for step in (-1e-4, 1e-4):
                values = getattr(found, name).copy()
                values[each] += step * found.sigma
                yield dataclasses.replace(found, **{name: values})


@pytest.mark.parametrize("growth", ["linear", "flat"])
@pytest.mark.parametrize("kind", ["level", "growing", "crossing zero", "none"])
def test_no_neighbour_is_denser(module, kind, growth):
    ds, y = readings(kind)
    options = module("options").Options(growth=growth, seasonality_mode="multiplicative", n_changepoints=12)
    found = module("map_fit").fit(ds, y, options)
    density = module("posterior").log_posterior
    best = density(found, ds, y, options)
    assert found.beta.any()
    assert max(density(other, ds, y, options) for other in neighbours(found)) <= best + 1e-9


def test_the_season_is_found(module):
    ds, y = readings("growing")
    found = module("map_fit").fit(ds, y, module("options").Options(seasonality_mode="multiplicative"))
    swing = np.hypot(*found.beta[:2])
    assert swing == pytest.approx(0.3, abs=0.02) and {one.mode for one in found.seasonalities} == {
        "multiplicative"
    }
    additive = module("map_fit").fit(ds, y, module("options").Options())
    assert found.sigma < 0.7 * additive.sigma


def test_without_terms_it_is_the_additive_model(module):
    ds, y = readings("growing", rows=13)
    fit, options = module("map_fit").fit, module("options").Options
    one, other = fit(ds, y, options()), fit(ds, y, options(seasonality_mode="multiplicative"))
    assert (one.k, one.m, one.sigma) == (other.k, other.m, other.sigma) and not len(one.beta)


@pytest.mark.parametrize(("rows", "seed"), [(30, 1), (16, 16)])
def test_of_several_maxima_the_higher(module, rows, seed):
    """Noise without a level has several; here the line through its ends does not lead to the highest."""
    solver, options = module("multiplicative"), module("options").Options(seasonality_mode="multiplicative")
    ds, y = readings("none", rows)[0], np.random.default_rng(seed).normal(size=rows)
    problem = module("map_fit").problem(module("design").of(ds, options), y / np.abs(y).max(), options)
    seasonal = np.arange(len(problem.features))
    seasonal = (seasonal >= 2) & (seasonal < len(problem.precision))
    line = np.zeros(len(seasonal))
    line[:2] = problem.y[-1] - problem.y[0], problem.y[0]
    lower, _ = solver.climb(problem, line, seasonal)
    chosen = solver.solve_multiplicative(problem, 2)
    theta = np.concatenate((chosen.ridge, chosen.hinges))
    assert solver.cost_of(problem, theta, seasonal)[0] < lower - 0.5
    assert chosen.violation < 1e-6
