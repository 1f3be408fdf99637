from __future__ import annotations

import threading

import pytest

from trainyard.execution.slots import Slots


def most_at_once(slots: Slots, kinds: list[str]) -> int:
    """How many of these steps are in at once, when none leaves before all that may have come in."""
    lock, inside, most, leave = threading.Lock(), [0], [0], threading.Event()

    def work(kind: str) -> None:
        with slots.taken_by(kind):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            leave.wait(0.2)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most[0]


@pytest.mark.parametrize(
    ("slots", "kinds", "most"),
    [
        (Slots(1), ["Training"] * 3, 1),
        (Slots(2), ["Training"] * 4, 2),
        (Slots(1), ["ForEach"] * 3, 3),  # it only waits for its children
        (Slots(1), ["Callback"] * 2, 1),
        (Slots(), ["Callback"] * 40, 40),  # waiting costs nothing where no number is given
        (Slots(3, within=Slots(2)), ["Training"] * 4, 2),
        (Slots(1, within=Slots(2)), ["Training"] * 2, 1),
    ],
)
def test_so_many_steps_run_at_once(slots, kinds, most) -> None:
    assert most_at_once(slots, kinds) == most


def test_a_new_number_counts_at_once_and_what_runs_goes_on() -> None:
    slots, entered, leave = Slots(1), threading.Semaphore(0), threading.Event()

    def work() -> None:
        with slots.taken_by("Training"):
            entered.release()
            leave.wait(20)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=20)
    assert not entered.acquire(timeout=0.1)
    slots.resize(3)
    assert entered.acquire(timeout=20) and entered.acquire(timeout=20)
    slots.resize(1)
    leave.set()
    for thread in threads:
        thread.join()
    assert most_at_once(slots, ["Training"] * 3) == 1
