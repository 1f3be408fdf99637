"""The fields of a JSON object, taken out one by one and checked: whatever is odd is refused with its name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


class BadModel(Exception):
    """Bytes that are no model of this engine; the message says why."""


class Fields:
    """Raises BadModel for every field that is missing, left over or not as expected."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._left = dict(content)

    def checked(self, key: str, good: Callable[[Any], bool], expected: str) -> Any:
        if key not in self._left:
            raise BadModel(f"{key!r} is missing")
        value = self._left.pop(key)
        if not good(value):
            raise BadModel(f"{key!r} is {json.dumps(value)[:100]}, not {expected}")
        return value

    def list_of(self, key: str, good: Callable[[Any], bool], expected: str) -> list[Any]:
        values: list[Any] = self.checked(key, lambda value: isinstance(value, list), f"a list of {expected}")
        for value in values:
            if not good(value):
                raise BadModel(f"{key!r} has {json.dumps(value)[:100]}, not {expected}")
        return values

    def numbers(self, key: str, count: int) -> np.ndarray[Any, Any]:
        values = self.list_of(key, number, "numbers")
        if len(values) != count:
            raise BadModel(f"{key!r} has {len(values)} numbers, not {count}")
        return np.array(values, np.float64)

    def part(self, key: str) -> Fields | None:
        value = self.checked(key, lambda value: value is None or isinstance(value, dict), "an object")
        return None if value is None else Fields(value)

    def none_left(self) -> None:
        if self._left:
            raise BadModel(f"unknown: {', '.join(repr(key)[:100] for key in sorted(self._left))}")


def number(value: object) -> bool:
    """Finite, and no truth value."""
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max  # type: ignore[operator]


def positive(value: object) -> bool:
    return number(value) and value > 0  # type: ignore[operator]


def text(value: object) -> bool:
    return isinstance(value, str)


def whole(least: int, most: int = 2**63 - 1) -> Callable[[object], bool]:
    """A test for whole numbers from ``least`` to ``most``."""
    return lambda value: type(value) is int and least <= value <= most
