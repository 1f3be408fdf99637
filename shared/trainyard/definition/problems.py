"""What is wrong with a definition and where: collected, so that one error names everything at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.errors import DefinitionError, UserError

NULL, BOOLEAN, INTEGER, NUMBER = "null", "true or false", "an integer", "a number"
STRING, LIST, OBJECT = "a string", "a list", "an object"

SHOWN_CHARACTERS = 80
SHOWN_NAMES = 40


def kind_of(value: Any) -> str:
    """The JSON type of a parsed value, in words."""
    if value is None:
        return NULL
    if isinstance(value, bool):  # before int: Python's bool is one
        return BOOLEAN
    kinds = ((int, INTEGER), (float, NUMBER), (str, STRING), (list, LIST), (dict, OBJECT))
    return next((name for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


def shown(value: Any) -> str:
    """A value as JSON, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def possible(value: object, names: Iterable[str]) -> str:
    """``possible: a, b``, with the closest name first where one is close to ``value``."""
    from difflib import get_close_matches  # only a message needs it

    known = sorted(names)
    close = get_close_matches(str(value), known, n=1, cutoff=0.7)
    more = [f"and {len(known) - SHOWN_NAMES} more"] if len(known) > SHOWN_NAMES else []
    listed = ", ".join([*known[:SHOWN_NAMES], *more]) or "none"
    return f"{f'did you mean {close[0]!r}? ' if close else ''}possible: {listed}"


def together(messages: list[str], opening: str) -> str:
    """One message as it is, several below the opening line."""
    if len(messages) == 1:
        return messages[0]
    return "\n  ".join([f"{opening} ({len(messages)} problems):", *messages])


@dataclass(frozen=True)
class Where:
    """A place in the definition: ``step 'Train', RetryPolicies[0].MaxAttempts``."""

    owner: str = ""
    path: str = ""

    def at(self, *keys: str | int) -> Where:
        path = self.path
        for key in keys:
            path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else key
        return Where(self.owner, path)

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.owner, self.path))) or "the definition"


class Problems:
    """The list of problems found so far; reading goes on behind each."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, where: Where, message: str) -> None:
        self.messages.append(f"{where}: {message}")

    def is_a(self, value: Any, kinds: tuple[str, ...], where: Where) -> bool:
        """Whether ``value`` has one of the JSON types; an integer is a number too."""
        kind = kind_of(value)
        if kind in kinds or (kind == INTEGER and NUMBER in kinds):
            return True
        self.add(where, f"must be {' or '.join(kinds)}, not {kind} ({shown(value)})")
        return False

    def field(
        self, owner: Mapping[str, Any], key: str, kind: str, where: Where, *, required: bool = False
    ) -> Any:
        """``owner[key]`` if it has that JSON type, else None; null counts as absent."""
        value = owner.get(key)
        if value is None:
            if required:
                self.add(where.at(key), f"missing; it must be {kind}")
            return None
        return value if self.is_a(value, (kind,), where.at(key)) else None

    def refuse_unknown_keys(self, owner: Mapping[str, Any], known: Iterable[str], where: Where) -> None:
        allowed = frozenset(known)
        for key in owner:
            if key not in allowed:
                self.add(where.at(key), f"unknown key {key!r}; {possible(key, allowed)}")

    def raise_if_any(self, opening: str, error: type[UserError] = DefinitionError) -> None:
        if self.messages:
            raise error(together(self.messages, opening))
