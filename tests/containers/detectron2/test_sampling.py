"""What is seen when is a function of the seed and the iteration alone."""

from __future__ import annotations

from itertools import chain

import pytest


@pytest.fixture
def batches(module):
    def batches(begin=0, end=10, rank=0, share=4, seed=7, images=10, size=4):
        return list(module("sampling").batches(seed, images, size, begin, end, rank, share))

    return batches


def test_every_epoch_sees_each_image_once_in_an_order_of_its_own(batches):
    seen = [index for index, _ in chain.from_iterable(batches())]
    epochs = [seen[at : at + 10] for at in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert seen != [index for index, _ in chain.from_iterable(batches(seed=8))]


def test_going_on_sees_what_would_have_been_seen(batches):
    assert batches(0, 10) == batches(0, 3) + batches(3, 10)


def test_processes_together_see_what_one_sees(batches):
    shares = [batches(rank=rank, share=2) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == batches()


def test_every_image_of_every_batch_has_a_seed_of_its_own(batches, module):
    seeds = [seed for _, seed in chain.from_iterable(batches())]
    assert len(set(seeds)) == 40 and all(0 <= seed < 2**31 for seed in seeds)
    assert module("sampling").derived(1, "a", 2) != module("sampling").derived(1, "b", 2)
