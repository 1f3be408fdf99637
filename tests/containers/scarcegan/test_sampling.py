"""Batches are balanced, without repetition where a class has rows enough, and every row is drawn as often."""

from __future__ import annotations


def test_numbers_are_distinct_and_equally_likely(snippet, tmp_path):
    snippet(
        """
import numpy as np
import sampling
from tensor import tf

steps, k = 20000, 8
drawn = sampling.labelled(tf.constant([1, 2]), steps, k, tf.constant([8, 11, 400, 3])).numpy()
assert drawn.shape == (steps, 4 * k)
for number, (begin, size) in enumerate(((0, 8), (8, 11), (19, 400), (419, 3))):
    rows = drawn[:, number * k : (number + 1) * k] - begin
    assert rows.min() == 0 and rows.max() == size - 1
    assert len(np.unique(rows[:5])) <= size
    if size >= k:
        assert all(len(set(row)) == k for row in rows[:2000].tolist())
    shares = np.bincount(rows.ravel(), minlength=size) * size / rows.size
    assert np.abs(shares - 1).max() < 6 / np.sqrt(rows.size / size), (size, shares)
# any two of eleven rows are in a batch together as often as any other two
rows = drawn[:, k : 2 * k] - 8
inside = np.zeros((steps, 11))
inside[np.arange(steps)[:, None], rows] = 1
together = (inside.T @ inside / steps)[~np.eye(11, dtype=bool)]
assert np.abs(together - 8 / 11 * 7 / 10).max() < 0.02
""",
        tmp_path,
    )


def test_draws_are_of_the_seed(snippet, tmp_path):
    snippet(
        """
import numpy as np
import sampling
from tensor import tf

def draws(*seed):
    seed = tf.constant(seed)
    return [np.asarray(part) for part in (
        sampling.labelled(seed, 10, 4, tf.constant([50, 60])),
        sampling.unlabelled(seed, 10, 16, tf.constant(100000)),
        sampling.noise(seed, 10, 16, 3),
    )]

for one, same, other in zip(draws(3, 7), draws(3, 7), draws(3, 8)):
    assert (one == same).all() and (one != other).any()
labelled, unlabelled, noise = draws(3, 7)
assert unlabelled.shape == (10, 16) and 0 <= unlabelled.min() and 50000 < unlabelled.max() < 100000
assert noise.shape == (10, 2, 16, 3) and abs(noise.mean()) < 0.2 and abs(noise.std() - 1) < 0.2
assert (noise[:, 0] != noise[:, 1]).any()
""",
        tmp_path,
    )
