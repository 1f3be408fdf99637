"""What training changes from step to step, as one value: it can be stored, compared and gone on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from architecture import Architecture, first_weights, flatten, size, unflatten


class State(NamedTuple):
    """Weights and Adam's two moments as flat vectors; sums over the steps since they were last cleared.

    Both heads' moments are as long as the discriminator's vector: where a head has no gradient, nothing moves.
    """

    discriminator: Any
    supervised_mean: Any
    supervised_square: Any
    unsupervised_mean: Any
    unsupervised_square: Any
    generator: Any
    generator_mean: Any
    generator_square: Any
    moving: Any  # batch normalisation's mean and variance
    measured: Any  # losses (supervised, unsupervised, generator) and accuracy
    supervised_gradient: Any  # absolute values
    real_gradient: Any
    fake_gradient: Any
    generator_gradient: Any


SUMS = ("measured", "supervised_gradient", "real_gradient", "fake_gradient", "generator_gradient")


def shapes(architecture: Architecture) -> State:
    """The shape of each array in a state."""
    lengths = {"generator": size(architecture.generator()), "other": size(architecture.discriminator())}
    special = {"moving": (2, architecture.generator_width), "measured": (4,)}
    return State(
        *(special.get(name, (lengths.get(name.split("_")[0], lengths["other"]),)) for name in State._fields)
    )


def first_state(architecture: Architecture, seed: Sequence[int]) -> State:
    """The state before the first step; equal seeds give equal states."""
    weights = first_weights(architecture, np.random.default_rng(list(seed)))
    zeros = State(*(np.zeros(shape, np.float32) for shape in shapes(architecture)))
    return zeros._replace(
        discriminator=flatten(weights, architecture.discriminator()),
        generator=flatten(weights, architecture.generator()),
        moving=flatten(weights, architecture.moving()).reshape(2, -1),
    )


def arrays(state: State) -> State:
    """The state as numpy arrays."""
    return State(*(np.asarray(array) for array in state))


def cleared(state: State) -> State:
    """The same state with sums of zero."""
    return state._replace(**{name: np.zeros(getattr(state, name).shape, np.float32) for name in SUMS})


def weights_of(state: State, architecture: Architecture) -> dict[str, np.ndarray]:
    """The tensors of all four networks, by name."""
    state = arrays(state)
    return {
        **unflatten(state.discriminator, architecture.discriminator()),
        **unflatten(state.generator, architecture.generator()),
        **unflatten(state.moving.ravel(), architecture.moving()),
    }
