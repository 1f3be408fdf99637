"""Which running trials are not worth their time (AWS: "Stop Training Jobs Early")."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

_LEAST = 3
"""How many earlier trials must have got as far before one is judged by them; AWS names no number."""


class MedianRule:
    """A trial stops when its latest value is worse than the median, over all earlier trials, of their running averages.

    The average of an earlier trial is that of its values up to the epoch that the judged trial has reached.
    """

    def __init__(self, maximize: bool) -> None:
        self._maximize = maximize
        self._ended: list[tuple[float, ...]] = []

    def add(self, values: Sequence[float]) -> None:
        """The values that an ended trial has reported, an epoch each."""
        self._ended.append(tuple(values))

    def stops(self, values: Sequence[float]) -> bool:
        epoch = len(values)
        averages = [statistics.fmean(run[:epoch]) for run in self._ended if len(run) >= epoch]
        if len(averages) < _LEAST:
            return False
        median = statistics.median(averages)
        return values[-1] < median if self._maximize else values[-1] > median
