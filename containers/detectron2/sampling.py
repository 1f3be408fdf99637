"""Which images an iteration sees, and the seeds of all that is random about them.

All of it is a function of the seed, the iteration and the place in the batch. So nothing about it needs to be
stored to go on with a training, and it does not matter how many processes share a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np


def batches(
    seed: int, images: int, size: int, begin: int, end: int, rank: int, share: int
) -> Iterator[list[tuple[int, int]]]:
    """Of each iteration from ``begin`` up to ``end``, this process's share: (image, seed of its augmentation).

    ``size`` images are in the whole batch, of which process ``rank`` takes ``share`` neighbours.
    """
    epoch, shuffled = -1, np.empty(0, np.int64)
    for iteration in range(begin, end):
        batch = []
        for place in range(rank * share, (rank + 1) * share):
            turn, index = divmod(iteration * size + place, images)
            if turn != epoch:
                epoch, shuffled = turn, np.random.default_rng([seed, turn]).permutation(images)
            batch.append((int(shuffled[index]), derived(seed, "augmentation", iteration, place)))
        yield batch


def derived(*of: int | str) -> int:
    """A seed of 31 bits that follows from others and is as if drawn."""
    digest = hashlib.sha256(repr(of).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
