"""One training step as a function from state and batch to state; it can run eagerly or in a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import losses
import networks
import numpy as np
from architecture import Architecture
from losses import Weighting
from state import State
from tensor import tf
from variants import Variant

ADAM_EPSILON = 1e-7


@dataclass(frozen=True)
class Recipe:
    """All that the graph of a model's steps is made from."""

    architecture: Architecture
    variant: Variant
    risky: int  # the number of the scarce class
    weighting: Weighting
    batch_size: int = 32  # a multiple of the number of classes
    learning_rate: float = 1e-4
    beta_1: float = 0.5
    beta_2: float = 0.999
    jit: bool = False
    columns: int = (
        0  # of rows before they are encoded to the networks' features; 0: networks see rows as they are
    )

    @property
    def labels(self) -> np.ndarray:
        """The classes of a labelled batch's rows: as many of each, in order."""
        classes = self.architecture.classes
        if self.batch_size % classes:
            raise ValueError(f"batch_size={self.batch_size} is no multiple of the {classes} classes")
        return np.repeat(np.arange(classes), self.batch_size // classes)


class Batch(NamedTuple):
    """What one step sees: rows, noise for two batches of fakes, Adam's corrected rates for four updates."""

    labelled: tf.Tensor
    unlabelled: tf.Tensor
    noise: tf.Tensor
    rates: tf.Tensor


def make_step(recipe: Recipe) -> Callable[[State, Batch], State]:
    """The step of a recipe: supervised head, unsupervised head on real and on fake rows, generator."""
    shape, variant, weighting = recipe.architecture, recipe.variant, recipe.weighting
    labels = recipe.labels
    targets = losses.supervised_targets(variant, weighting, shape.classes, recipe.risky)[labels]
    real = losses.real_targets(variant, weighting)
    fake = np.array([0.0, 0.0, weighting.fake_weight], np.float32)

    def discriminate(vector: tf.Tensor, head: str, rows: tf.Tensor, wanted: np.ndarray) -> tuple:
        """Loss and gradient of one head, and its log-probabilities."""
        with tf.GradientTape() as tape:
            tape.watch(vector)
            weights = networks.tensors(vector, shape.discriminator())
            logits = networks.head(weights, head, networks.body(weights, shape, rows))
            log_probabilities = (
                losses.supervised_log_probabilities(logits, variant)
                if head == "supervised"
                else losses.unsupervised_log_probabilities(logits, variant)
            )
            loss = losses.cross_entropy(log_probabilities, wanted)
        return loss, tape.gradient(loss, vector), log_probabilities

    def step(state: State, batch: Batch) -> State:
        d, g = state.discriminator, state.generator
        means, squares = state.supervised_mean, state.supervised_square
        supervised, gradient_s, seen = discriminate(d, "supervised", batch.labelled, targets)
        d, means, squares = _adam(recipe, d, gradient_s, means, squares, batch.rates[0])
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(seen, 1), labels), tf.float32))
        state = state._replace(supervised_mean=means, supervised_square=squares)

        made = networks.generate(networks.tensors(g, shape.generator()), state.moving, shape, batch.noise[0])
        means, squares = state.unsupervised_mean, state.unsupervised_square
        loss_real, gradient_r, _ = discriminate(d, "unsupervised", batch.unlabelled, real)
        d, means, squares = _adam(recipe, d, gradient_r, means, squares, batch.rates[1])
        loss_fake, gradient_f, _ = discriminate(d, "unsupervised", made, fake)
        d, means, squares = _adam(recipe, d, gradient_f, means, squares, batch.rates[2])
        state = state._replace(unsupervised_mean=means, unsupervised_square=squares)

        generator, gradient_g, moving = _generator_loss(recipe, real, d, g, state.moving, batch)
        g, means, squares = _adam(
            recipe, g, gradient_g, state.generator_mean, state.generator_square, batch.rates[3]
        )
        return state._replace(
            discriminator=d,
            generator=g,
            generator_mean=means,
            generator_square=squares,
            moving=moving,
            measured=state.measured
            + tf.stack([supervised, (loss_real + loss_fake) / 2.0, generator, accuracy]),
            supervised_gradient=state.supervised_gradient + tf.abs(gradient_s),
            real_gradient=state.real_gradient + tf.abs(gradient_r),
            fake_gradient=state.fake_gradient + tf.abs(gradient_f),
            generator_gradient=state.generator_gradient + tf.abs(gradient_g),
        )

    return step


def _generator_loss(
    recipe: Recipe, real: np.ndarray, d: tf.Tensor, g: tf.Tensor, moving: tf.Tensor, batch: Batch
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Loss, gradient and running statistics; the gradient is the generator's alone, so nothing moves ``d``."""
    shape, variant, weighting = recipe.architecture, recipe.variant, recipe.weighting
    discriminator = networks.tensors(d, shape.discriminator())
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(g)
        rows, moving = networks.generate_in_training(
            networks.tensors(g, shape.generator()), moving, shape, batch.noise[1]
        )
        features = networks.body(discriminator, shape, rows)
        if variant.bad_generator:
            loss = losses.feature_matching(features, networks.body(discriminator, shape, batch.labelled))
            loss += weighting.pull_away_weight * losses.pull_away(features)
        else:
            logits = networks.head(discriminator, "unsupervised", features)
            loss = losses.cross_entropy(losses.unsupervised_log_probabilities(logits, variant), real)
        if weighting.low_density_weight:
            logits = networks.head(discriminator, "supervised", features)
            density = losses.low_density(
                losses.supervised_log_probabilities(logits, variant), weighting.low_density_epsilon
            )
            loss += weighting.low_density_weight * density
    return loss, tape.gradient(loss, g), moving


def _adam(
    recipe: Recipe,
    vector: tf.Tensor,
    gradient: tf.Tensor,
    mean: tf.Tensor,
    square: tf.Tensor,
    rate: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The moved vector and both moments; ``rate`` has the correction for the first steps in it."""
    mean += (1.0 - recipe.beta_1) * (gradient - mean)
    square += (1.0 - recipe.beta_2) * (tf.square(gradient) - square)
    return vector - rate * mean / (tf.sqrt(square) + ADAM_EPSILON), mean, square
