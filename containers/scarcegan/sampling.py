"""The rows and the noise of many steps at once, drawn in the graph from the seed and the step's number alone."""

from __future__ import annotations

from tensor import tf


def distinct(uniforms: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """``uniforms`` [steps, sets, k] in [0, 1) to k different numbers below each set's size, all equally likely.

    Floyd's sampling: k comparisons however large the set is. A set smaller than k is drawn from with
    replacement. int32 [steps, sets, k].
    """
    k = uniforms.shape[-1]
    enough = sizes >= k

    def draw(position: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        last = tf.where(enough, sizes - k + position, sizes - 1)
        spread = uniforms[:, :, position] * tf.cast(last + 1, tf.float64)
        drawn = tf.minimum(tf.cast(spread, tf.int32), last)
        seen = tf.reduce_any(chosen == drawn[:, :, None], axis=-1)
        drawn = tf.where(seen & enough, last, drawn)
        return position + 1, tf.where(tf.range(k) == position, drawn[:, :, None], chosen)

    nothing = tf.fill(tf.shape(uniforms), -1)
    return tf.while_loop(lambda position, _: position < k, draw, (0, nothing))[1]


def labelled(seed: tf.Tensor, steps: int, per_class: int, counts: tf.Tensor) -> tf.Tensor:
    """Row numbers [steps, classes x per_class] in a table sorted by class, of which ``counts`` says the sizes."""
    uniforms = tf.random.stateless_uniform([steps, counts.shape[0], per_class], seed, dtype=tf.float64)
    rows = distinct(uniforms, counts) + tf.cumsum(counts, exclusive=True)[None, :, None]
    return tf.reshape(rows, [steps, -1])


def unlabelled(seed: tf.Tensor, steps: int, batch: int, rows: tf.Tensor) -> tf.Tensor:
    """Row numbers [steps, batch]."""
    uniforms = tf.random.stateless_uniform([steps, 1, batch], seed, dtype=tf.float64)
    return distinct(uniforms, tf.reshape(rows, [1]))[:, 0]


def noise(seed: tf.Tensor, steps: int, batch: int, width: int) -> tf.Tensor:
    """Normal noise [steps, 2, batch, width]: for the discriminator's fakes, and for the generator's step."""
    return tf.random.stateless_normal([steps, 2, batch, width], seed)
