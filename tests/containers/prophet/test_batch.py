"""Many series at once get what each would get by itself."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def grid():
    return np.datetime64("2023-01-01") + np.arange(300) * np.timedelta64(1, "D")


def readings(series, rows=300, seed=0):
    """Bends, seasons and noise of very different strengths."""
    generator = np.random.default_rng(seed)
    day, strength = np.arange(rows)[:, None], 10 ** generator.uniform(-2, 1.5, size=(3, series))
    bend = np.maximum(day - generator.integers(0, rows, series), 0) / rows
    y = 10 + strength[0] * bend + strength[1] * np.sin(2 * np.pi * day / 7)
    return y + strength[2] * generator.normal(size=(rows, series))


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"growth": "flat"},
        {"changepoint_prior_scale": 5.0},
        {"n_changepoints": 0},
        {"seasonality_mode": "multiplicative"},
    ],
)
def test_as_one_by_one(module, grid, chosen):
    map_fit, options = module("map_fit"), module("options").Options(**chosen)
    y = readings(150 if "seasonality_mode" not in chosen else 3)
    given = y.copy()
    fitted = module("posterior").fitted
    together = map_fit.fit_many(grid, y, options)
    assert len(together) == y.shape[1] and (y == given).all()
    for column, found in enumerate(together):
        alone = map_fit.fit(grid, y[:, column], options)
        assert np.abs(fitted(found, grid) - fitted(alone, grid)).max() < 1e-8
        assert found.sigma == pytest.approx(alone.sigma, rel=1e-7)
        assert (found.y_scale, found.rows, found.last) == (alone.y_scale, alone.rows, alone.last)


def test_most_of_them_are_solved_together(module, grid, monkeypatch):
    batch, alone = module("batch"), []
    solve = batch.solve
    monkeypatch.setattr(batch, "solve", lambda problem: alone.append(problem) or solve(problem))
    y = np.column_stack((readings(200), np.arange(300.0)))
    module("map_fit").fit_many(grid, y, module("options").Options())
    assert 1 <= len(alone) <= 5, "the line, which has no noise, and few others"


def test_odd_ones_among_them(module, grid):
    map_fit, options = module("map_fit"), module("options").Options()
    y = np.column_stack(
        (
            np.full(300, 7.0),
            readings(1),
            np.zeros(300),
            readings(1) * 1e12,
            -readings(1) * 1e-9,
            np.arange(300.0),
        )
    )
    found = map_fit.fit_many(grid, y, options)
    fitted = np.column_stack([module("posterior").fitted(one, grid) * one.y_scale for one in found])
    assert [one.sigma == pytest.approx(1e-9) for one in found] == [True, False, True, False, False, True]
    assert np.abs(fitted[:, [0, 2, 5]] - y[:, [0, 2, 5]]).max() < 1e-6
    assert np.allclose(fitted[:, 3], fitted[:, 1] * 1e12) and np.allclose(fitted[:, 4], -fitted[:, 1] * 1e-9)


def test_the_path_ends_where_its_penalty_is_the_best_variances(module):
    solver, rows, rate = module("solver"), 30, 20.0
    generator = np.random.default_rng(3)
    columns = generator.normal(size=(40, rows, 12)) + 2 * generator.normal(size=(40, rows, 1))
    y = generator.normal(size=(40, rows)) * 10 ** generator.uniform(-1, 1, (40, 1))
    y += 3 * (columns * generator.normal(size=(40, 1, 12))).sum(axis=2)
    gram, square = columns.transpose(0, 2, 1) @ columns, (y**2).sum(axis=1)
    target = np.einsum("sij,si->sj", columns, y)
    path = module("batch").Path(gram.copy(), target)
    path.descend(square, rows, rate)
    for one in range(40):
        expected = solver.lasso(gram[one], target[one], path.penalty[one], np.zeros(12), 1e-13)
        assert np.allclose(path.x[one], expected, atol=1e-8)
        assert (path.signs[one] == np.sign(expected)).all()
        rss = ((y[one] - columns[one] @ expected) ** 2).sum()
        assert path.penalty[one] == pytest.approx(rate * solver.best_v(rss, rows), rel=1e-7)
        active = np.flatnonzero(expected)
        slope = generator.normal(size=12)
        changed = np.linalg.solve(gram[one][np.ix_(active, active)], slope[active])
        assert np.allclose(path.changed(np.tile(slope, (40, 1)))[one, active], changed, rtol=1e-6)
    counts = (path.x != 0).sum(axis=1)
    assert counts.min() < 4 and counts.max() > 8 and (path.bends >= counts).all()
