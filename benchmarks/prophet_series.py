"""What the Prophet benchmarks have in common: customers, and medians of sides that take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

DAYS, STEPS = 731, 7


def grid() -> np.ndarray:
    return np.datetime64("2023-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D")


def readings(customer: int) -> np.ndarray:
    """731 days with a slope, a year, a weekend and noise; two decimals."""
    days, random = np.arange(DAYS), np.random.default_rng(customer)
    year = 8 * np.cos(2 * np.pi * (days - 20) / 365.25)
    return (50 + 0.01 * days + year + 5 * (days % 7 >= 5) + random.normal(size=DAYS)).round(2)


def own_grid(customer: int) -> np.ndarray:
    """As many timestamps as days, nobody else's: the same days at other times of day."""
    seconds = np.random.default_rng(customer).integers(0, 86_400, DAYS)
    return np.sort(grid() + seconds * np.timedelta64(1, "s"))


def in_turns(works: Mapping[str, Callable[[int], None]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each; every round calls each one once, with the round's number."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work(number)
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(times) for name, times in taken.items()}
