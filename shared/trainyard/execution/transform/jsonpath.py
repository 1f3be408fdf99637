"""The subset of JSONPath that batch transform filters records with.

Source: AWS, "Associate Prediction Results with Input Records", Supported JSONPath Operators: ``$``, ``.name``,
``*``, ``['name','name']``, ``[1,-1]`` and ``[1:3]``. Of ``[1:3]`` that page says both "array slice() method" and
"inclusive"; here the end is left out, as in the JsonPath library that it refers to and as AWS's notebooks use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trainyard.definition.problems import kind_of
from trainyard.errors import DataError, DefinitionError

POSSIBLE = "$, .name, .*, ['name','name'], [0,-1], [1:3] and [0,5:] with one range at most"

_PART = re.compile(
    r"""\.(?P<name>[^\s.\[\]'"*,:()?@$]+)
      | (?P<every>\.\*|\.?\[\s*\*\s*\])
      | \.?\[\s*(?P<names>(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*)\s*\]
      | \.?\[\s*(?P<indexes>[-\d:\s]+(?:,[-\d:\s]+)*)\]""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_INDEX = re.compile(r"-?\d{1,9}")
_RANGE = re.compile(r"(-?\d{1,9})?\s*:\s*(-?\d{1,9})?")


@dataclass(frozen=True)
class Part:
    """One operator; ``chosen`` holds names (str), positions (int) or a slice, and is empty for ``*``."""

    kind: Literal["names", "indexes", "every"]
    chosen: tuple[str | int | slice, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it leads to one value."""
        return len(self.chosen) == 1 and not isinstance(self.chosen[0], slice)


@dataclass(frozen=True)
class JsonPath:
    """``text`` is how it was written; ``select`` applies it."""

    text: str
    parts: tuple[Part, ...]

    @property
    def whole(self) -> bool:
        """Whether it is ``$``, which changes nothing."""
        return not self.parts

    @property
    def by_position(self) -> bool:
        """Whether it fits a CSV row: positions only, one operator at most."""
        return len(self.parts) <= 1 and all(part.kind != "names" for part in self.parts)

    def select(self, value: Any) -> Any:
        """What the path leads to; several names give an object, several positions a list.

        Raises DataError where it leads to nothing: a name or position that is not there, an empty range.
        """
        found, definite = [value], True
        for number, part in enumerate(self.parts, 1):
            if part.kind == "names" and len(part.chosen) > 1 and number == len(self.parts):
                found = [{str(name): self._named(each, str(name)) for name in part.chosen} for each in found]
                continue
            found = [below for each in found for below in self._step(each, part)]
            definite = definite and part.single
        return found[0] if definite else found

    def _step(self, value: Any, part: Part) -> Sequence[Any]:
        if part.kind == "names":
            return [self._named(value, str(name)) for name in part.chosen]
        if part.kind == "every":
            if isinstance(value, dict):
                return list(value.values())
            return self._list(value)
        items = self._list(value)
        below: list[Any] = []
        for chosen in part.chosen:
            if isinstance(chosen, slice):
                some = items[chosen]
                if not some:
                    raise DataError(f"JSONPath {self.text}: its range is empty in a list of {len(items)}")
                below += some
            elif isinstance(chosen, int):
                if not -len(items) <= chosen < len(items):
                    raise DataError(f"JSONPath {self.text}: no item {chosen} in a list of {len(items)}")
                below.append(items[chosen])
        return below

    def _list(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise DataError(f"JSONPath {self.text}: wanted a list, there is {kind_of(value)}")
        return value

    def _named(self, value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise DataError(
                f"JSONPath {self.text}: wanted an object with {name!r}, there is {kind_of(value)}"
            )
        if name not in value:
            there = ", ".join(list(value)[:5]) or "nothing"
            raise DataError(f"JSONPath {self.text}: there is no {name!r}; there is {there}")
        return value[name]


def parse(text: str) -> JsonPath:
    """Read a path; an empty one is ``$``. Raises DefinitionError for what batch transform does not support."""
    text = text.strip() or "$"
    parts: list[Part] = []
    position = 1
    if not text.startswith("$"):
        raise DefinitionError(f"JSONPath {text!r} does not begin with $; possible: {POSSIBLE}")
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise DefinitionError(f"JSONPath {text!r} breaks at {text[position:]!r}; possible: {POSSIBLE}")
        parts.append(_part(text, match))
        position = match.end()
    return JsonPath(text, tuple(parts))


def _part(text: str, match: re.Match[str]) -> Part:
    if match["every"]:
        return Part("every")
    if match["name"]:
        return Part("names", (match["name"],))
    if match["names"]:
        return Part("names", tuple(single or double for single, double in _QUOTED.findall(match["names"])))
    chosen = tuple(_position(text, item.strip()) for item in match["indexes"].split(","))
    if sum(isinstance(item, slice) for item in chosen) > 1:
        raise DefinitionError(f"JSONPath {text!r}: only one range is supported; possible: {POSSIBLE}")
    return Part("indexes", chosen)


def _position(text: str, item: str) -> int | slice:
    if _INDEX.fullmatch(item):
        return int(item)
    if match := _RANGE.fullmatch(item):
        start, end = match.groups()
        return slice(int(start) if start else None, int(end) if end else None)
    raise DefinitionError(f"JSONPath {text!r}: {item!r} is no position and no range; possible: {POSSIBLE}")
