"""Event patterns of EventBridge: whether an event matches.

Source: Amazon EventBridge User Guide, "Creating event patterns" and "Comparison operators".
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from trainyard.local_aws.messages import AwsError

_MISSING = object()
_NUMERIC = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}


_OPERATORS = {"prefix", "suffix", "anything-but", "exists", "numeric", "equals-ignore-case", "wildcard"}


def check(pattern: Any) -> None:
    """Raises AwsError (InvalidEventPatternException) for a pattern that cannot be matched here."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise _invalid("it is no JSON object with fields")
    for key, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            check(wanted)
        elif not isinstance(wanted, list) or not wanted:
            raise _invalid(f"{key!r} must be an object or a list of alternatives")
        elif key == "$or":
            for alternative in wanted:
                check(alternative)
        else:
            for one in wanted:
                _check_operator(key, one)


def _check_operator(key: str, one: Any) -> None:
    if isinstance(one, list):
        raise _invalid(f"{key!r} has a list in its list of alternatives")
    if not isinstance(one, Mapping):
        return
    if len(one) != 1 or not set(one) <= _OPERATORS:
        raise _invalid(f"{key!r} has {dict(one)}; possible here: {', '.join(sorted(_OPERATORS))}")
    numbers = one.get("numeric", ["=", 0])
    pairs = isinstance(numbers, list) and numbers and len(numbers) % 2 == 0
    if not pairs or not all(
        isinstance(sign, str) and sign in _NUMERIC and _is_number(number)
        for sign, number in zip(numbers[::2], numbers[1::2], strict=True)
    ):
        raise _invalid(f'{key!r}: numeric is {numbers}; write for example [">", 0, "<=", 5]')


def _invalid(why: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {why}")


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Every field of the pattern has a value in the event that one of its alternatives takes."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(alternative, event) for alternative in wanted):
                return False
            continue
        value = event.get(key, _MISSING)
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping) and not (value is _MISSING and _only_absence(wanted)):
                return False
            if not matches(wanted, value if isinstance(value, Mapping) else {}):
                return False
        elif not any(_takes(one, value) for one in wanted):
            return False
    return True


def _only_absence(pattern: Mapping[str, Any]) -> bool:
    return all(
        _only_absence(wanted) if isinstance(wanted, Mapping) else {"exists": False} in wanted
        for wanted in pattern.values()
    )


def _takes(wanted: Any, value: Any) -> bool:
    """Whether one alternative takes a value, or one of the values of a list."""
    if isinstance(wanted, Mapping) and "exists" in wanted:
        return bool(wanted["exists"]) == (value is not _MISSING)
    if value is _MISSING:
        return False
    values = value if isinstance(value, list) else [value]
    if isinstance(wanted, Mapping) and "anything-but" in wanted:
        refused = wanted["anything-but"]
        listed = refused if isinstance(refused, list) else [refused]
        return not any(_takes(one, item) for one in listed for item in values)
    return any(_equal(wanted, item) for item in values)


def _equal(wanted: Any, item: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return (type(wanted) is type(item) and bool(wanted == item)) or _same_number(wanted, item)
    [(name, argument)] = list(wanted.items())[:1] or [("", None)]
    if name == "numeric":
        return _is_number(item) and all(
            _NUMERIC[sign](item, number) for sign, number in zip(argument[::2], argument[1::2], strict=True)
        )
    return isinstance(item, str) and _text_matches(name, argument, item)


def _text_matches(operation: str, argument: Any, item: str) -> bool:
    if operation in ("prefix", "suffix") and isinstance(argument, Mapping):
        item, argument = item.lower(), str(argument.get("equals-ignore-case", "")).lower()
    match operation:
        case "prefix":
            return item.startswith(str(argument))
        case "suffix":
            return item.endswith(str(argument))
        case "equals-ignore-case":
            return item.lower() == str(argument).lower()
        case "wildcard":
            return _wildcard(str(argument), item)
    return False


def _wildcard(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_number(one: Any, other: Any) -> bool:
    return _is_number(one) and _is_number(other) and bool(one == other)
