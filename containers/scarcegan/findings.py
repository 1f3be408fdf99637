"""What preprocessing found wrong with the data: how often, in which input, and what was done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5

MEANINGS = {
    "no_user": "a row without a user",
    "missing_value": "a row in which a value is missing",
    "duplicate_day": "a further row for a user and day that was there before",
    "missing_day": "a day without a row between a user's first and last one",
    "short_history": "a user with fewer than ten days",
    "labeled_twice": "a user that has two labels",
    "labeled_and_unlabeled": "an unlabelled row of a user that has a label",
    "constant_column": "a counter or feature that has one value in all labelled rows",
    "silent_feature": "a feature of telemetry that has one value for all users",
}


@dataclass
class Findings:
    """Collects counts and the first examples by reason; every reason is reported, also when it never came up."""

    handling: dict[str, str]
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in MEANINGS})
    examples: dict[str, list[Any]] = field(default_factory=lambda: {reason: [] for reason in MEANINGS})

    def add(self, reason: str, where: str, count: int, examples: Iterable[Any] = ()) -> None:
        """``where`` is an input's name; ``examples`` may be lazy: only as many are taken as are missing."""
        if not count:
            return
        self.counts[reason][where] += int(count)
        for example in examples:
            if len(self.examples[reason]) >= EXAMPLES:
                break
            self.examples[reason].append(example)

    def total(self, reason: str) -> int:
        return sum(self.counts[reason].values())

    def tell(self) -> str:
        """What came up, in one line."""
        return ", ".join(f"{self.total(reason):,} {reason}" for reason in MEANINGS if self.total(reason))

    def as_json(self) -> dict[str, Any]:
        return {
            reason: {
                "count": self.total(reason),
                "inputs": dict(self.counts[reason]),
                "meaning": meaning,
                "handling": self.handling[reason],
                "examples": self.examples[reason],
            }
            for reason, meaning in MEANINGS.items()
        }
