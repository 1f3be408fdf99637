"""Many training steps in one graph: rows and noise are drawn, gradients taken and weights moved inside it.

What a step draws depends on the seed and on its number alone: a run that goes on from a stored state gives
the same bits as one that was never interrupted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import sampling
from encoding import Encoding
from state import State, shapes
from steps import Batch, Recipe, make_step
from tensor import tf

CHUNK = 100  # steps whose rows and noise are drawn together


class Rows(NamedTuple):
    """What a model learns from: labelled rows sorted by class, how many each class has, unlabelled rows.

    ``bins``: the encoding that the networks see the rows through (feature, low, high); without one, of no columns.
    """

    labelled: tf.Tensor
    counts: tf.Tensor
    unlabelled: tf.Tensor
    bins: tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def rows_of(
    features: np.ndarray, labels: np.ndarray, unlabelled: np.ndarray, classes: int, encoding: Encoding | None
) -> Rows:
    """Rows as the loop takes them."""
    counts = np.bincount(labels, minlength=classes).astype(np.int32)
    encoding = encoding or Encoding.nothing()
    return Rows(
        tf.constant(features[np.argsort(labels, kind="stable")]),
        tf.constant(counts),
        tf.constant(unlabelled),
        tuple(tf.constant(array) for array in encoding.arrays().values()),
    )


class Loop:
    """The compiled steps of one recipe, for any rows and seeds. Traced once, which takes seconds."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._step = make_step(recipe)
        architecture = recipe.architecture
        row = tf.TensorSpec([None, recipe.columns or architecture.features])
        width = architecture.features if recipe.columns else 0
        bins = tuple(tf.TensorSpec([width], kind) for kind in (tf.int32, tf.float32, tf.float32))
        number = tf.TensorSpec([], tf.int32)
        self._walk = tf.function(self._steps, jit_compile=recipe.jit or None, autograph=False)
        self._graph = tf.function(
            self._advance,
            autograph=False,
            input_signature=(
                State(*(tf.TensorSpec(shape) for shape in shapes(architecture))),
                Rows(row, tf.TensorSpec([architecture.classes], tf.int32), row, bins),
                number,
                number,
                number,
            ),
        )

    def advance(self, state: State, rows: Rows, seed: int, first: int, last: int) -> State:
        """The state after the steps from ``first`` up to, not including, ``last``.

        Both lie in one chunk. Raises ValueError when they do not.
        """
        if first >= last or first // CHUNK != (last - 1) // CHUNK:
            raise ValueError(f"steps {first} to {last - 1} do not lie in one chunk of {CHUNK}")
        return self._graph(state, rows, *(tf.constant(number, tf.int32) for number in (seed, first, last)))

    def draw(self, rows: Rows, seed: tf.Tensor, chunk: tf.Tensor) -> Batch:
        """The batches of all steps of a chunk, stacked."""
        recipe = self.recipe
        size, classes = recipe.batch_size, recipe.architecture.classes
        seeds = [tf.stack([seed, 3 * chunk + stream]) for stream in range(3)]
        labelled = sampling.labelled(seeds[0], CHUNK, size // classes, rows.counts)
        unlabelled = sampling.unlabelled(seeds[1], CHUNK, size, tf.shape(rows.unlabelled)[0])
        step = tf.cast(chunk * CHUNK + tf.range(CHUNK), tf.float64)
        # the unsupervised head is moved twice per step: by real rows, then by fake ones
        updates = tf.stack([step + 1, 2 * step + 1, 2 * step + 2, step + 1], axis=1)
        corrections = tf.sqrt(1.0 - recipe.beta_2**updates) / (1.0 - recipe.beta_1**updates)
        return Batch(
            tf.gather(rows.labelled, labelled),
            tf.gather(rows.unlabelled, unlabelled),
            sampling.noise(seeds[2], CHUNK, size, recipe.architecture.noise),
            tf.cast(recipe.learning_rate * corrections, tf.float32),
        )

    def _advance(self, state: State, rows: Rows, seed: tf.Tensor, first: tf.Tensor, last: tf.Tensor) -> State:
        chunk = first // CHUNK
        batches, begin = self.draw(rows, seed, chunk), chunk * CHUNK
        return self._walk(state, batches, rows.bins, first - begin, last - begin)

    def _steps(self, state: State, batches: Batch, bins: tuple, begin: tf.Tensor, end: tf.Tensor) -> State:
        def body(position: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            batch = Batch(*(part[position] for part in batches))
            if self.recipe.columns:
                labelled, unlabelled = (encoded(part, *bins) for part in (batch.labelled, batch.unlabelled))
                batch = batch._replace(labelled=labelled, unlabelled=unlabelled)
            return position + 1, self._step(state, batch)

        return tf.while_loop(lambda position, _: position < end, body, (begin, state), parallel_iterations=1)[
            1
        ]


def encoded(rows: tf.Tensor, feature: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """As Encoding does it, here in the graph, because encoded rows are many times as wide."""
    return tf.clip_by_value((tf.gather(rows, feature, axis=1) - low) / (high - low), 0.0, 1.0)
