"""Read the values, lists and tables of a TOML document, collecting all that is wrong with them."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# What is wrong, a line each; every line starts with the place, as in ``training.spot = 3: must be ...``.
Problems = list[str]
# (value, place, problems) -> the value as it is used.
Reader = Callable[[Any, str, Problems], Any]


def shown(value: Any) -> str:
    """A value as a message shows it: one line, not long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def closest(name: str, names: list[str]) -> str:
    """``"; did you mean x?"`` where a name is near, else nothing."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def below(where: str, key: str) -> str:
    """The place of a key, spelled as TOML spells a dotted key."""
    name = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else shown(key)
    return f"{where}.{name}" if where else name


def check(fits: Callable[[Any], bool], what: str) -> Reader:
    """A reader of one value; ``what`` says in a message what it should have been."""

    def reader(value: Any, where: str, problems: Problems) -> Any:
        if not fits(value):
            problems.append(f"{where} = {shown(value)}: {what}")
        return value

    return reader


def text(pattern: str, what: str) -> Reader:
    return check(lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, what)


def one_of(*values: str) -> Reader:
    return check(lambda value: isinstance(value, str) and value in values, f"not one of: {', '.join(values)}")


def list_of(item: Reader, at_least: int = 0) -> Reader:
    def reader(value: Any, where: str, problems: Problems) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < at_least:
            least = f" with at least {at_least} in it" if at_least else ""
            problems.append(f"{where} = {shown(value)}: must be a list{least}")
            return ()
        return tuple(item(element, f"{where}[{i}]", problems) for i, element in enumerate(value))

    return reader


def named(name: str, item: Reader) -> Reader:
    """A table whose keys the family chooses."""

    def reader(value: Any, where: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            problems.append(f"{where} = {shown(value)}: must be a table")
            return {}
        for key in value:
            if not re.fullmatch(name, key):
                problems.append(f"{below(where, key)}: a name here matches {name}")
        return {key: item(element, below(where, key), problems) for key, element in value.items()}

    return reader


@dataclass(frozen=True)
class Key:
    reader: Reader
    required: bool = True
    default: Any = None


def table(keys: Mapping[str, Key]) -> Reader:
    def reader(value: Any, where: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            problems.append(f"{where or 'the file'} = {shown(value)}: must be a table")
            return {}
        for key in value:
            if key not in keys:
                known = sorted(keys)
                near = closest(key, known)
                problems.append(f"{below(where, key)}: no such key{near}; known: {', '.join(known)}")
        for name, key in keys.items():
            if key.required and name not in value:
                problems.append(f"{below(where, name)}: missing")
        return {
            name: key.reader(value[name], below(where, name), problems) if name in value else key.default
            for name, key in keys.items()
        }

    return reader


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))
