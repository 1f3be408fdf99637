"""The conditions of a Condition step: read from JSON, and decided with typed comparisons."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.definition import expressions, functions, properties
from trainyard.definition.expressions import Scope
from trainyard.definition.problems import (
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    Problems,
    Where,
    kind_of,
    possible,
    shown,
)
from trainyard.errors import ExpressionError

EQUALITY: Mapping[str, Callable[[Any, Any], bool]] = {"Equals": operator.eq, "NotEquals": operator.ne}
ORDERING: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
SIGNS: Mapping[str, str] = {
    "Equals": "=",
    "NotEquals": "!=",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}
COMPARISONS = {**EQUALITY, **ORDERING}
MEMBERSHIP = ("In", "NotIn")
TYPES = (*COMPARISONS, *MEMBERSHIP, "Not", "Or")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    type: str
    left: Any
    right: Any


@dataclass(frozen=True, kw_only=True)
class Membership:
    type: str
    value: Any
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class Or:
    conditions: tuple[Condition, ...]


Condition = Comparison | Membership | Not | Or


def read(raw: Any, where: Where, problems: Problems) -> Condition | None:
    """One condition; None with an entry in ``problems`` if it is malformed.

    The public schema writes In as ``{Value, In}`` and the SDK as ``{QueryValue, Values}``: both are read.
    """
    if not problems.is_a(raw, (OBJECT,), where):
        return None
    kind = problems.field(raw, "Type", STRING, where, required=True)
    if kind in COMPARISONS:
        if _has(raw, ("LeftValue", "RightValue"), where, problems):
            return Comparison(type=kind, left=raw["LeftValue"], right=raw["RightValue"])
    elif kind in MEMBERSHIP:
        value, values = ("QueryValue", "Values") if "QueryValue" in raw else ("Value", "In")
        if (
            _has(raw, (value, values), where, problems)
            and problems.field(raw, values, LIST, where) is not None
        ):
            return Membership(type=kind, value=raw[value], values=tuple(raw[values]))
    elif kind == "Not":
        if _has(raw, ("Condition",), where, problems):
            inner = read(raw["Condition"], where.at("Condition"), problems)
            return Not(condition=inner) if inner else None
    elif kind == "Or":
        if _has(raw, ("Conditions",), where, problems):
            return Or(conditions=read_all(raw["Conditions"], where.at("Conditions"), problems))
    elif kind is not None:
        problems.add(where.at("Type"), f"unknown condition type {kind!r}; {possible(kind, TYPES)}")
    return None


def read_all(raw: Any, where: Where, problems: Problems) -> tuple[Condition, ...]:
    """A list of conditions; the malformed ones are left out and in ``problems``."""
    if not problems.is_a(raw, (LIST,), where):
        return ()
    read_ones = (read(item, where.at(index), problems) for index, item in enumerate(raw))
    return tuple(condition for condition in read_ones if condition is not None)


def hold(conditions: Iterable[Condition], scope: Scope) -> bool:
    """Whether all of ``conditions`` hold, as a Condition step needs them; True for none at all.

    An integer equals the float of its value. Raises ExpressionError for a reference without value, for
    values that cannot be compared (a string with a number, null) and for NaN.
    """
    outcomes = [_holds(condition, scope) for condition in conditions]  # all of them: no error stays hidden
    return all(outcomes)


def explain(conditions: Iterable[Condition], scope: Scope) -> str:
    """The conditions with their values as text for people: ``Parameters.MaxMase 1.0 >= 0.91 and ...``."""
    return " and ".join(_text(condition, scope) for condition in conditions)


def _has(raw: Mapping[str, Any], keys: tuple[str, ...], where: Where, problems: Problems) -> bool:
    problems.refuse_unknown_keys(raw, ("Type", *keys), where)
    missing = [key for key in keys if key not in raw]
    for key in missing:
        problems.add(where.at(key), f"missing; a condition of type {raw['Type']} needs {' and '.join(keys)}")
    return not missing


def _holds(condition: Condition, scope: Scope) -> bool:
    if isinstance(condition, Comparison):
        left, right = expressions.resolve([condition.left, condition.right], scope)
        return _compare(condition.type, left, right)
    if isinstance(condition, Membership):
        value, *values = expressions.resolve([condition.value, *condition.values], scope)
        found = [_compare("Equals", value, item) for item in values]
        return any(found) == (condition.type == "In")
    if isinstance(condition, Not):
        return not _holds(condition.condition, scope)
    outcomes = [_holds(inner, scope) for inner in condition.conditions]
    return any(outcomes)


def _compare(type_: str, left: Any, right: Any) -> bool:
    kinds = {NUMBER if kind == INTEGER else kind for kind in (kind_of(left), kind_of(right))}
    allowed = (STRING, NUMBER) if type_ in ORDERING else (STRING, NUMBER, BOOLEAN)
    pair = f"{shown(left)} ({kind_of(left)}) and {shown(right)} ({kind_of(right)})"
    if len(kinds) > 1 or not kinds <= set(allowed):
        raise ExpressionError(
            f"{type_} cannot compare {pair}; both must be {' or both '.join(allowed)}"
            " (a pipeline parameter has the type that it is declared with)"
        )
    if any(isinstance(value, float) and math.isnan(value) for value in (left, right)):
        raise ExpressionError(f"{type_} cannot compare {pair}: NaN is neither above nor below anything")
    return COMPARISONS[type_](left, right)


def _text(condition: Condition, scope: Scope) -> str:
    if isinstance(condition, Comparison):
        return f"{_side(condition.left, scope)} {SIGNS[condition.type]} {_side(condition.right, scope)}"
    if isinstance(condition, Membership):
        words = "in" if condition.type == "In" else "not in"
        return f"{_side(condition.value, scope)} {words} {shown(expressions.preview(list(condition.values), scope))}"
    if isinstance(condition, Not):
        return f"not ({_text(condition.condition, scope)})"
    return f"({' or '.join(_text(inner, scope) for inner in condition.conditions)})"


def _side(value: Any, scope: Scope) -> str:
    """A value, and where it comes from: the last part of the reference, which people know it by."""
    result = expressions.preview(value, scope)
    expression = functions.read(value)
    if isinstance(expression, functions.JsonGet):
        return f"{properties.render(expression.path)} {_number(result)}"
    if isinstance(expression, functions.Get):
        return f"{properties.render(expression.path) or expression.name} {_number(result)}"
    return _number(result)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shown(value)
