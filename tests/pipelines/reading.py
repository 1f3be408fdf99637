"""To find one's way in a compiled definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def every_step(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from every_step(step["Arguments"].get(branch, []))


def references(part: Any) -> set[str]:
    """What every ``Get`` in a part of the definition gets, without the branches of a condition."""
    match part:
        case {"Get": str(reference)}:
            return {reference}
        case dict():
            branches = ("IfSteps", "ElseSteps")
            return {found for key, one in part.items() if key not in branches for found in references(one)}
        case list():
            return {found for one in part for found in references(one)}
    return set()
