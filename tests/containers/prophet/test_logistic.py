"""Shifts of a trend that saturates; that they are Prophet's to the digit, test_stan_engine.py shows."""

from __future__ import annotations

import numpy as np
import pytest


def test_shifts_vanish_at_the_cap_and_average_to_nothing(module, make_model):
    model = make_model(growth="logistic", cap=120.0, k=5.0, delta=np.full(25, 0.1))
    step = 1 / 730
    t = 1 + step * np.arange(1, 4000)
    changes = np.random.default_rng(0).laplace(0, 0.05, (50, len(t)))
    shifts = module("logistic").shifts(model.parameters, t, step, changes)
    assert shifts.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert (shifts.std(axis=0)[1:50] > 0).all() and shifts.std(axis=0)[-1] < 1e-6
    still = module("logistic").shifts(model.parameters, t, step, np.zeros((3, len(t))))
    assert np.abs(still).max() < 1e-12
