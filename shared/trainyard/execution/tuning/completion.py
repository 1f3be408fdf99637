"""When enough trials have run: AWS's completion criteria (docs: "Track and set completion criteria")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_IMPROVEMENT = 0.01
_LEAST = 10


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """``target`` is a value of the objective; ``not_improving`` a number of trials."""

    target: float | None = None
    not_improving: int | None = None
    on_convergence: bool = False

    def met(self, values: Sequence[float], maximize: bool) -> bool:
        """Whether the objective values so far, in the order in which trials ended, suffice."""
        if self.target is not None and any(
            value >= self.target if maximize else value <= self.target for value in values
        ):
            return True
        if self.not_improving is not None and not_improving(values, maximize) >= self.not_improving:
            return True
        return self.on_convergence and converged(values, maximize)


def not_improving(values: Sequence[float], maximize: bool) -> int:
    """How many trials have ended since one was better than all before it by 1 % or more."""
    best, count = None, 0
    for value in values:
        worth = value if maximize else -value
        if best is None or (worth - best >= _IMPROVEMENT * abs(best) and worth > best):
            count = 0
        else:
            count += 1
        best = worth if best is None else max(best, worth)
    return count


def converged(values: Sequence[float], maximize: bool) -> bool:
    """No improvement by 1 % in the last half of the trials, nor in the last 10.

    AWS says that its rule comes from "a wide range of diverse benchmarking tests" and not what it is.
    """
    return not_improving(values, maximize) >= max(_LEAST, len(values) / 2)
