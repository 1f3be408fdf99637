"""Images and boxes as annotation files name them, before anything is known about the files themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple


class Drawn(NamedTuple):
    """A box as written: x, y, width, height in pixels, which may be nonsense; ``place`` is within its image's."""

    name: str
    numbers: tuple[float, float, float, float]
    crowd: bool
    place: str


@dataclass(frozen=True)
class Labeled:
    """An image that ``source`` (below the input) names; ``place`` says where. ``size``: width, height if written;
    ``created``: when its boxes were drawn, seconds since 1970, where that is known."""

    reference: str
    source: PurePosixPath
    place: str
    size: tuple[int, int] | None
    boxes: tuple[Drawn, ...]
    created: float = 0.0


NOWHERE = (math.nan,) * 4


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole_number(value: Any) -> int | None:
    """As JSON writers put it, 7 or 7.0; None if it is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def numbers(values: Any) -> tuple[float, float, float, float]:
    """Four numbers, or not-a-numbers if there are not four."""
    if not isinstance(values, (list, tuple)) or len(values) != 4 or not all(map(is_number, values)):
        return NOWHERE
    try:
        x, y, width, height = map(float, values)
    except OverflowError:  # an integer of hundreds of digits
        return NOWHERE
    return x, y, width, height


def short(value: Any) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
