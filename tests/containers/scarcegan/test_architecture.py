"""The networks' tensors and their places; answers with numpy."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def architecture(module):
    return module("architecture")


@pytest.fixture
def small(architecture):
    return architecture.Architecture(6, 4, body=(5, 3), noise=2, generator_width=4)


def test_tensors_of_all_four_networks(small):
    assert small.discriminator() == {
        "body.0.kernel": (6, 5), "body.0.bias": (5,), "body.1.kernel": (5, 3), "body.1.bias": (3,),
        "supervised.kernel": (3, 5), "supervised.bias": (5,),
        "unsupervised.kernel": (3, 3), "unsupervised.bias": (3,),
    }  # fmt: skip
    assert list(small.generator()) == [
        "generator.0.kernel", "generator.gamma", "generator.beta", "generator.1.kernel", "generator.1.bias",
    ]  # fmt: skip
    assert small.generator()["generator.1.kernel"] == (4, 6)


def test_vectors_and_tensors_hold_the_same(architecture, small):
    weights = architecture.first_weights(small, np.random.default_rng(0))
    for shapes in (small.discriminator(), small.generator(), small.moving()):
        vector = architecture.flatten(weights, shapes)
        assert vector.shape == (architecture.size(shapes),) and vector.dtype == np.float32
        for name, tensor in architecture.unflatten(vector, shapes).items():
            assert (tensor == weights[name]).all() and tensor.shape == shapes[name], name


def test_first_weights_are_glorots_and_of_the_seed(architecture, small):
    one, same, other = (architecture.first_weights(small, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((one[name] == same[name]).all() for name in one)
    kernel = one["body.0.kernel"]
    assert 0.3 < np.abs(kernel).max() <= np.sqrt(6 / 11) and (kernel != other["body.0.kernel"]).any()
    assert (one["body.0.bias"] == 0).all() and (one["generator.gamma"] == 1).all()
    assert (one["generator.variance"] == 1).all() and (one["generator.mean"] == 0).all()


@pytest.mark.parametrize("leeway", [True, False])
def test_answers_are_those_of_layers_and_softmax(architecture, small, leeway):
    random = np.random.default_rng(3)
    weights = architecture.first_weights(small, random)
    weights["body.1.bias"] += 0.3
    rows = random.normal(size=(20, 6)).astype(np.float32)
    hidden = rows.astype(float)
    for layer in range(2):
        hidden = hidden @ weights[f"body.{layer}.kernel"] + weights[f"body.{layer}.bias"]
        hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    powers = np.exp(hidden @ weights["supervised.kernel"] + weights["supervised.bias"])
    if not leeway:
        powers[:, -1] = 0
    kept = rows.copy()
    logs = architecture.log_probabilities(weights, 2, rows, leeway)
    assert np.allclose(np.exp(logs), powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert (rows == kept).all() and np.isneginf(logs[:, -1]).all() != leeway


def test_answers_stay_finite_for_huge_inputs(architecture, small):
    weights = architecture.first_weights(small, np.random.default_rng(0))
    logs = architecture.log_probabilities(weights, 2, np.full((1, 6), 1e30, np.float32), leeway=True)
    assert np.isfinite(logs).all() and np.exp(logs).sum() == pytest.approx(1)
