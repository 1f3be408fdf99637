"""What preprocessing found wrong with the data: how often, what was done about it, and where to look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5

MEANINGS = {
    "malformed_line": "a CSV line with more or fewer fields than the header",
    "no_customer": "a row without a customer id",
    "unreadable_timestamp": "a timestamp that is missing, or is no date between the years 1700 and 2200",
    "zoned_timestamp": "a timestamp with a time zone",
    "missing_value": "a row without a value",
    "unreadable_value": "a value that is no number",
    "infinite_value": "a value that is infinite, or beyond 1e150",
    "negative_value": "a value below zero",
    "duplicate": "a further row for a customer and timestamp that was there before",
    "gap": "a timestamp that is missing between two of a customer, by that customer's median step",
}


@dataclass
class Findings:
    """Collects counts and the first examples by reason; every reason is reported, also when it never came up."""

    handling: dict[str, str]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEANINGS, 0))
    examples: dict[str, list[Any]] = field(default_factory=lambda: {reason: [] for reason in MEANINGS})

    def add(self, reason: str, count: int, examples: Iterable[Any]) -> None:
        """``examples`` may be lazy: only as many are taken as are missing."""
        self.counts[reason] += int(count)
        if count:
            for example in examples:
                if len(self.examples[reason]) >= EXAMPLES:
                    break
                self.examples[reason].append(example)

    def tell(self) -> str:
        """What came up, in one line, with the first example of each."""
        return ", ".join(
            f"{count:,} {reason}{self._such_as(reason)}" for reason, count in self.counts.items() if count
        )

    def _such_as(self, reason: str) -> str:
        example = next(iter(self.examples[reason]), {})
        if not {"file", "row", "value"} <= example.keys():
            return ""
        return f" ({str(example['value'])[:40]!r}, {example['file']} row {example['row']})"

    def as_json(self) -> dict[str, Any]:
        return {
            reason: {
                "count": self.counts[reason],
                "meaning": meaning,
                "handling": self.handling[reason],
                "examples": self.examples[reason],
            }
            for reason, meaning in MEANINGS.items()
        }
