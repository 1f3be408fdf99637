"""What arrives together is predicted together, and each caller has its own answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainyard.in_image.server.batching import Batches, BatchFailed


def doubled(data, model):
    calls.append(len(data))
    return [model * each for each in data]


calls: list[int] = []


def test_callers_at_once_share_calls():
    calls.clear()
    batches = Batches(doubled, 8, 0.2)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda n: batches.predict(n, 2), range(16))) == [2 * n for n in range(16)]
    assert sum(calls) == 16 and max(calls) <= 8 and len(calls) < 16


def test_a_full_batch_does_not_wait_and_a_lone_one_not_for_long():
    batches = Batches(doubled, 2, 5)
    began = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda n: batches.predict(n, 2), range(2))) == [0, 2]
    assert time.monotonic() - began < 4
    assert Batches(doubled, 2, 0.01).predict(3, 2) == 6


def test_models_do_not_mix():
    batches, together = Batches(doubled, 4, 0.1), threading.Barrier(2)
    models = (3, 5)

    def ask(model):
        together.wait(10)
        return batches.predict(1, model)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ask, models)) == [3, 5]


@pytest.mark.parametrize("wrong", [lambda data, model: [], lambda data, model: 7, lambda data, model: 1 / 0])
def test_a_call_that_fails_fails_for_all_of_its_batch(wrong):
    batches = Batches(wrong, 1, 0)
    with pytest.raises(BatchFailed):
        batches.predict(1, 1)
    with pytest.raises(BatchFailed):  # and the next one begins anew
        batches.predict(1, 1)
