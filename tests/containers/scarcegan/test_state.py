"""The state is one value: of the seed at first, cleared of its sums, with all tensors by name."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def states(module):
    return module("state")


@pytest.fixture
def shape(module):
    return module("architecture").Architecture(6, 4)


def test_the_first_state_is_of_the_seed(states, shape):
    one, same, other = (states.first_state(shape, seed) for seed in ([0, 1], [0, 1], [0, 2]))
    assert [array.shape for array in one] == [tuple(one) for one in states.shapes(shape)]
    assert all(array.dtype == np.float32 for array in one)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert (one.discriminator != other.discriminator).any() and (one.generator != other.generator).any()


def test_only_sums_are_cleared(states, shape):
    ones = states.State(*(np.ones(one, np.float32) for one in states.shapes(shape)))
    for name, array in states.cleared(ones)._asdict().items():
        assert (array == (name not in states.SUMS)).all(), name


def test_all_tensors_by_name(states, shape):
    weights = states.weights_of(states.first_state(shape, [0]), shape)
    assert set(weights) == {*shape.discriminator(), *shape.generator(), *shape.moving()}
    assert (weights["generator.mean"] == 0).all() and (weights["generator.variance"] == 1).all()
