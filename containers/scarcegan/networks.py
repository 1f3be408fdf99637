"""The networks in TensorFlow, as functions of flat weight vectors."""

from __future__ import annotations

import math

from architecture import BATCH_NORM_EPSILON, SLOPE, Architecture, Shapes
from tensor import tf

MOMENTUM = 0.99  # of batch normalisation's running mean and variance
ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid, "linear": tf.identity}


def tensors(vector: tf.Tensor, shapes: Shapes) -> dict[str, tf.Tensor]:
    """The named tensors in a vector."""
    parts = tf.split(vector, [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shapes[name]) for name, part in zip(shapes, parts, strict=True)}


def body(weights: dict[str, tf.Tensor], architecture: Architecture, rows: tf.Tensor) -> tf.Tensor:
    """The shared features f of the discriminator."""
    hidden = rows
    for layer in range(len(architecture.body)):
        hidden = tf.nn.bias_add(hidden @ weights[f"body.{layer}.kernel"], weights[f"body.{layer}.bias"])
        hidden = tf.nn.leaky_relu(hidden, SLOPE)
    return hidden


def head(weights: dict[str, tf.Tensor], name: str, features: tf.Tensor) -> tf.Tensor:
    """The logits of one head: ``supervised`` (classes, unknown) or ``unsupervised`` (known, unknown, fake)."""
    return tf.nn.bias_add(features @ weights[f"{name}.kernel"], weights[f"{name}.bias"])


def generate(
    weights: dict[str, tf.Tensor], moving: tf.Tensor, architecture: Architecture, noise: tf.Tensor
) -> tf.Tensor:
    """Fake rows as the discriminator is shown them: normalised by the running mean and variance."""
    return _generator(weights, architecture, noise @ weights["generator.0.kernel"], moving[0], moving[1])


def generate_in_training(
    weights: dict[str, tf.Tensor], moving: tf.Tensor, architecture: Architecture, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fake rows normalised by their own batch, and the running mean and variance after it."""
    hidden = noise @ weights["generator.0.kernel"]
    mean, variance = tf.nn.moments(hidden, [0])
    rows = _generator(weights, architecture, hidden, mean, variance)
    return rows, MOMENTUM * moving + (1.0 - MOMENTUM) * tf.stack([mean, variance])


def _generator(
    weights: dict[str, tf.Tensor],
    architecture: Architecture,
    hidden: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
) -> tf.Tensor:
    scale = weights["generator.gamma"] * tf.math.rsqrt(variance + BATCH_NORM_EPSILON)
    hidden = tf.nn.leaky_relu((hidden - mean) * scale + weights["generator.beta"], SLOPE)
    rows = tf.nn.bias_add(hidden @ weights["generator.1.kernel"], weights["generator.1.bias"])
    return ACTIVATIONS[architecture.generator_output](rows)
