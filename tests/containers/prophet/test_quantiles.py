"""Quantiles against closed forms; against random draws, test_intervals.py compares them."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest


def test_one_possible_change_without_noise(module):
    """Nothing happens with probability 0.7; else the distance is exponential."""
    quantiles = module("quantiles")
    future = quantiles.Future(0.3, np.array([2.0]), np.array([1e-9]))
    for width in (0.75, 0.8, 0.99):
        expected = -2.0 * math.log((1 - width) / 0.3)
        assert quantiles.half_widths(future, np.array([0]), width) == pytest.approx(expected, rel=1e-6)
    assert quantiles.half_widths(future, np.array([0]), 0.35) == pytest.approx(
        1e-9 * NormalDist().inv_cdf(0.75), rel=1e-6
    )


def test_one_certain_change_with_noise(module):
    """Of a normal and a Laplace variable, the sum's distribution is known."""
    quantiles = module("quantiles")
    future = quantiles.Future(1.0, np.array([0.5]), np.array([0.8]))
    for width in (0.05, 0.5, 0.8, 0.99):
        h = quantiles.half_widths(future, np.array([0]), width)[0]
        ratio, z = 0.8 / 0.5, h / 0.8
        beyond = [math.exp(sign * h / 0.5) * math.erfc((ratio + sign * z) / math.sqrt(2)) for sign in (-1, 1)]
        reached = math.erf(z / math.sqrt(2)) - 0.5 * math.exp(ratio**2 / 2) * (beyond[0] - beyond[1])
        assert reached == pytest.approx(width, abs=1e-9)


def test_rows_are_independent_of_what_else_is_asked(module):
    quantiles = module("quantiles")
    future = quantiles.Future(0.05, 0.01 * (np.arange(300) + 0.5), np.full(300, 0.05))
    everything = quantiles.half_widths(future, np.arange(300), 0.8)
    assert (np.diff(everything) > 0).all()
    for row in (0, 10, 299):
        assert quantiles.half_widths(future, np.array([row]), 0.8) == pytest.approx(everything[row], rel=1e-7)
