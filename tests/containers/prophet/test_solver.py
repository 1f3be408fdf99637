"""The solver's answers fulfil the conditions of a maximum, and are those of slow methods that share nothing with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize


def make(module, rows=200, noise=0.1, seed=0, tau=0.05, **options):
    """A problem with trend, bends, weekly seasonality and noise, and its ``Options``."""
    generator = np.random.default_rng(seed)
    options = module("options").Options(changepoint_prior_scale=tau, **options)
    day = np.arange(rows)
    columns = module("design").of(np.datetime64("2023-01-01") + day * np.timedelta64(1, "D"), options)
    bends = np.maximum(day / rows - 0.3, 0) - 2 * np.maximum(day / rows - 0.6, 0)
    y = 0.5 + 0.3 * bends + 0.1 * np.sin(2 * np.pi * day / 7) + generator.normal(size=rows) * noise
    return module("map_fit").problem(columns, y / np.abs(y).max(), options)


def loss(problem, theta, v):
    """Minus the log posterior, as solver.py's docstring has it."""
    size = len(problem.precision)
    residual = problem.y - theta @ problem.features
    prior = (problem.precision * theta[:size] ** 2).sum() / 2 + problem.rate * np.abs(theta[size:]).sum()
    return len(problem.y) / 2 * np.log(v) + residual @ residual / (2 * v) + 2 * v + prior


def by_coordinates(problem, v, sweeps=40_000):
    """Coordinate descent on (k, m, beta, delta) at a given v, until nothing moves."""
    size, theta = len(problem.precision), np.zeros(len(problem.moments))
    slope = problem.moments.copy()
    shrink = np.concatenate((np.zeros(size), np.full(len(theta) - size, v * problem.rate)))
    ridge = np.concatenate((v * problem.precision, np.zeros(len(theta) - size)))
    for _ in range(sweeps):
        furthest = 0.0
        for j in range(len(theta)):
            wanted = slope[j] + problem.gram[j, j] * theta[j]
            new = np.sign(wanted) * max(abs(wanted) - shrink[j], 0) / (problem.gram[j, j] + ridge[j])
            if new != theta[j]:
                furthest = max(furthest, abs(new - theta[j]))
                slope -= problem.gram[:, j] * (new - theta[j])
                theta[j] = new
        if furthest < 1e-13:
            return theta
    raise AssertionError("coordinate descent has not come to its end")


def whole(solution):
    return np.concatenate((solution.ridge, solution.hinges))


@pytest.mark.parametrize("tau", [0.05, 0.5])
def test_it_is_what_coordinate_descent_finds(module, tau):
    problem = make(module, rows=120, n_changepoints=6, tau=tau)
    found = module("solver").solve(problem)
    assert found.violation < 1e-7 and (found.hinges != 0).any() and (found.hinges == 0).any()
    slow = by_coordinates(problem, found.v)
    assert np.abs((whole(found) - slow) @ problem.features).max() < 1e-9
    assert ((slow[-6:] != 0) == (found.hinges != 0)).all()


@pytest.mark.parametrize("rows", [40, 300])
def test_no_general_optimiser_finds_better(module, rows):
    """With the hinges split in two parts that are not negative, all is smooth: theta and v at once."""
    problem = make(module, rows=rows)
    found = module("solver").solve(problem)
    size, hinges = len(problem.precision), len(found.hinges)
    ours = loss(problem, whole(found), found.v)
    generator = np.random.default_rng(rows)

    def split(x):
        theta = np.concatenate((x[:size], x[size : size + hinges] - x[size + hinges : -1]))
        v, residual = np.exp(x[-1]), problem.y - theta @ problem.features
        value = len(problem.y) / 2 * x[-1] + residual @ residual / (2 * v) + 2 * v
        value += (problem.precision * x[:size] ** 2).sum() / 2 + problem.rate * x[size:-1].sum()
        slope = -(problem.features @ residual) / v
        down, up = problem.rate + slope[size:], problem.rate - slope[size:]
        of_v = len(problem.y) / 2 - residual @ residual / (2 * v) + 2 * v
        return value, np.concatenate((slope[:size] + problem.precision * x[:size], down, up, [of_v]))

    bounds = [(None, None)] * size + [(0, None)] * (2 * hinges) + [(-12, 2)]
    for _ in range(3):
        start = np.concatenate(
            (generator.normal(size=size), np.abs(generator.normal(size=2 * hinges)) * 0.1, [0])
        )
        slow = minimize(split, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 3000})
        assert slow.fun >= ours - 1e-9


def test_all_starts_agree_where_rows_are_many(module):
    """Jointly in theta and v it is not convex: seen from the least noise possible the maximum is the same."""
    solver = module("solver")
    for seed in range(5):
        problem = make(module, rows=731, noise=0.05 * (seed + 1), seed=seed)
        found = solver.solve(problem)
        v = solver.best_v(np.linalg.lstsq(problem.features.T, problem.y)[1][0], 731)
        for _ in range(60):
            ridge, hinges = solver.at(problem, v, np.zeros_like(found.hinges))
            residual = problem.y - np.concatenate((ridge, hinges)) @ problem.features
            v = solver.best_v(residual @ residual, 731)
        assert v == pytest.approx(found.v, rel=1e-9)


def test_lasso_from_any_start(module):
    generator = np.random.default_rng(1)
    columns = generator.normal(size=(30, 8)) + generator.normal(size=(30, 1))
    gram, target = columns.T @ columns, columns.T @ generator.normal(size=30)
    lasso = module("solver").lasso
    for penalty in (0.01, 1.0, 5.0, 1e3):
        first = lasso(gram, target, penalty, np.zeros(8), 1e-13)
        slope = target - gram @ first
        assert np.abs(slope).max() <= penalty * (1 + 1e-8)
        assert np.allclose(slope[first != 0], penalty * np.sign(first[first != 0]), rtol=1e-8)
        for _ in range(5):
            again = lasso(gram, target, penalty, generator.normal(size=8), 1e-13)
            assert np.allclose(again, first, atol=1e-9)
    assert not first.any()


def test_a_violation_is_seen(module):
    solver = module("solver")
    problem = make(module)
    found = solver.solve(problem)

    def missed(ridge, hinges, v):
        residual = problem.y - np.concatenate((ridge, hinges)) @ problem.features
        return solver.violations(problem, ridge, hinges, v, residual)

    assert missed(found.ridge, found.hinges, found.v) < 1e-7
    assert missed(found.ridge, found.hinges, found.v * 1.01) == pytest.approx(0.01, abs=0.003)
    other = found.hinges.copy()
    other[np.flatnonzero(other)[0]] *= 1.1
    assert missed(found.ridge, other, found.v) > 0.01
    assert missed(found.ridge + 0.01, found.hinges, found.v) > 1


def test_perfect_lines_have_the_least_noise(module):
    columns = module("design").of(
        np.datetime64("2023-01-01") + np.arange(100) * np.timedelta64(1, "D"), module("options").Options()
    )
    y = np.arange(100.0) / 100
    found = module("solver").solve(module("map_fit").problem(columns, y, module("options").Options()))
    assert found.v == module("solver").SMALLEST
    assert np.abs(whole(found) @ columns.features - y).max() < 1e-9


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 90), st.integers(0, 10**6), st.floats(-4, 0), st.sampled_from([0.001, 0.05, 10.0]))
def test_the_conditions_hold_on_any_series(module, rows, seed, noise, tau):
    found = module("solver").solve(make(module, rows, 10**noise, seed, tau))
    assert found.v <= 2 * module("solver").SMALLEST or found.violation < 1e-6
