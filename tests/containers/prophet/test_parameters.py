"""What follows from the parameters."""

from __future__ import annotations

import dataclasses

import numpy as np


def test_times_are_scaled_by_the_history(make_model):
    parameters = make_model().parameters
    assert parameters.changepoints.max() == 583 / 730
    assert parameters.mean_step == 86_400e9


def test_waves_keep_what_adds_apart_from_what_multiplies(make_model):
    parameters = make_model().parameters
    waves = parameters.waves
    assert waves.cycles.tolist() == [n / 365.25 for n in range(1, 11)] + [n / 7 for n in range(1, 4)]
    assert waves.weights.shape == (1, 26)
    assert waves.weights[0].tolist() == [*parameters.beta[::2], *parameters.beta[1::2]]
    yearly, weekly = parameters.seasonalities
    mixed = make_model(seasonalities=(yearly, dataclasses.replace(weekly, mode="multiplicative"))).parameters
    adds, multiplies = mixed.waves.weights
    assert (adds != 0).tolist() == ([True] * 10 + [False] * 3) * 2
    assert (adds + multiplies == waves.weights[0]).all()


def test_there_may_be_no_seasonality(make_model):
    waves = make_model(seasonalities=(), beta=np.empty(0)).parameters.waves
    assert len(waves.cycles) == 0
