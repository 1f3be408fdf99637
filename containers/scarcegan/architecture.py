"""The four networks' shapes, first weights and places in a vector; their answers, with numpy alone.

All weights of the discriminator (body, supervised head, unsupervised head) lie in one flat vector, those
of the generator in another: a step of Adam is then one operation per vector instead of one per tensor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SLOPE = 0.2  # of LeakyReLU below zero
BATCH_NORM_EPSILON = 1e-3
OUTPUTS = ("relu", "tanh", "sigmoid", "linear")

Arrays = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """How wide everything is; ``classes`` counts the given labels, without "unknown"."""

    features: int
    classes: int
    body: tuple[int, ...] = (15, 21, 8)
    noise: int = 10
    generator_width: int = 30
    generator_output: str = "relu"

    def discriminator(self) -> Shapes:
        """The tensors of the body and of both heads, in the order of the flat vector."""
        shapes: Shapes = {}
        width = self.features
        for layer, units in enumerate(self.body):
            shapes[f"body.{layer}.kernel"] = (width, units)
            shapes[f"body.{layer}.bias"] = (units,)
            width = units
        for head, units in (("supervised", self.classes + 1), ("unsupervised", 3)):
            shapes[f"{head}.kernel"] = (width, units)
            shapes[f"{head}.bias"] = (units,)
        return shapes

    def generator(self) -> Shapes:
        """The generator's tensors; no bias before batch normalisation, which would take it away again."""
        width = self.generator_width
        return {
            "generator.0.kernel": (self.noise, width),
            "generator.gamma": (width,),
            "generator.beta": (width,),
            "generator.1.kernel": (width, self.features),
            "generator.1.bias": (self.features,),
        }

    def moving(self) -> Shapes:
        """Batch normalisation's running mean and variance."""
        return {"generator.mean": (self.generator_width,), "generator.variance": (self.generator_width,)}


def size(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def flatten(tensors: Arrays, shapes: Shapes) -> np.ndarray:
    """The named tensors as one vector."""
    return np.concatenate([np.asarray(tensors[name], np.float32).ravel() for name in shapes])


def unflatten(vector: np.ndarray, shapes: Shapes) -> dict[str, np.ndarray]:
    """The named tensors in a vector (views of it)."""
    tensors, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + math.prod(shape)
        tensors[name] = vector[begin:end].reshape(shape)
        begin = end
    return tensors


def first_weights(architecture: Architecture, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Glorot-uniform kernels, ones for scales and variances, zeros for the rest."""
    shapes = {**architecture.discriminator(), **architecture.generator(), **architecture.moving()}
    weights = {}
    for name, shape in shapes.items():
        if name.endswith("kernel"):
            limit = math.sqrt(6.0 / sum(shape))
            weights[name] = random.uniform(-limit, limit, shape).astype(np.float32)
        else:
            filled = 1.0 if name.endswith(("gamma", "variance")) else 0.0
            weights[name] = np.full(shape, filled, np.float32)
    return weights


def log_probabilities(weights: Arrays, layers: int, features: np.ndarray, leeway: bool) -> np.ndarray:
    """Of each class and, last, of "unknown" (minus infinity without leeway): float32 [rows, classes + 1]."""
    hidden = np.asarray(features, np.float32)
    for layer in range(layers):
        hidden = hidden @ weights[f"body.{layer}.kernel"]
        hidden += weights[f"body.{layer}.bias"]
        np.maximum(hidden, np.float32(SLOPE) * hidden, out=hidden)
    logits = hidden @ weights["supervised.kernel"] + weights["supervised.bias"]
    if not leeway:
        logits[:, -1] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
