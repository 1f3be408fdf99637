"""Pipeline parameters: their declarations, and the typed values that one execution runs with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from trainyard.errors import ParameterError

if TYPE_CHECKING:
    from trainyard.definition.document import Document

Scalar = str | int | float | bool

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
KEYS = ("Name", "Type", "DefaultValue", "EnumValues", "Description")
KINDS = {"String": STRING, "Integer": INTEGER, "Float": NUMBER, "Boolean": BOOLEAN}
INTEGRAL = re.compile(r"[+-]?[0-9]{1,1000}(\.0*)?")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A declared parameter; one without a default must be given."""

    name: str
    type: str
    default: Scalar | None = None
    enum_values: tuple[Scalar, ...] = ()


def resolve_parameters(document: Document, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The value of every declared parameter, in declared order: given, else its default.

    Strings are cast to the declared type, because StartPipelineExecution sends all values as strings
    (``"True"``, ``"3.0"``). Raises ParameterError naming every parameter that is unknown, missing, of
    another type or not in its enum.
    """
    problems = Problems()
    declared = {parameter.name: parameter for parameter in document.parameters}
    for name in given:
        if name not in declared:
            problems.add(_where(name), f"the pipeline has no such parameter; {possible(name, declared)}")
    values: dict[str, Scalar] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            problems.add(_where(name), f"has no default, so it must be given ({_wanted(parameter)})")
            continue
        cast = cast_to(value, parameter.type)
        if cast is None or (parameter.enum_values and cast not in parameter.enum_values):
            problems.add(_where(name), f"{shown(value)} is not possible; possible: {_wanted(parameter)}")
        else:
            values[name] = cast
    problems.raise_if_any("these pipeline parameters cannot be used", ParameterError)
    return values


def read_parameters(raw: Any, where: Where, problems: Problems) -> tuple[Parameter, ...]:
    """The declarations; malformed ones are in ``problems``, and kept where their name is known."""
    if raw is None or not problems.is_a(raw, (LIST,), where):
        return ()
    found: dict[str, Parameter] = {}
    for index, item in enumerate(raw):
        if not problems.is_a(item, (OBJECT,), where.at(index)):
            continue
        name = problems.field(item, "Name", STRING, where.at(index), required=True)
        if name is None:
            continue
        if not NAME.fullmatch(name):
            problems.add(where.at(index, "Name"), f"{shown(name)} is no name; letters, digits, '-' and '_'")
        if name in found:
            problems.add(where.at(index), f"a second parameter {name!r}")
        found[name] = _read_parameter(name, item, problems)
    return tuple(found.values())


def _read_parameter(name: str, raw: Mapping[str, Any], problems: Problems) -> Parameter:
    where = _where(name)
    problems.refuse_unknown_keys(raw, KEYS, where)
    type_ = problems.field(raw, "Type", STRING, where) or "String"
    if type_ not in KINDS:
        problems.add(where.at("Type"), f"unknown type {type_!r}; {possible(type_, KINDS)}")
        type_ = "String"
    enum_values = tuple(problems.field(raw, "EnumValues", LIST, where) or ())
    default = raw.get("DefaultValue")
    for key, value in [("DefaultValue", default), *(("EnumValues", value) for value in enum_values)]:
        if value is not None and not _is_declared_as(value, type_):
            problems.add(where.at(key), f"{shown(value)} is not of type {type_}")
    if default is not None and enum_values and default not in enum_values:
        problems.add(where.at("DefaultValue"), f"{shown(default)} is not in EnumValues {shown(enum_values)}")
    return Parameter(name=name, type=type_, default=default, enum_values=enum_values)


def _where(name: str) -> Where:
    return Where(f"parameter {name!r}")


def _is_declared_as(value: Any, type_: str) -> bool:
    """In the definition itself a value has its type: only an integer may stand for a Float."""
    kind = kind_of(value)
    return kind == KINDS[type_] or (type_ == "Float" and kind == INTEGER)


def _wanted(parameter: Parameter) -> str:
    if parameter.enum_values:
        return ", ".join(shown(value) for value in parameter.enum_values)
    return KINDS[parameter.type]


def cast_to(value: Scalar, type_: str) -> Scalar | None:
    """``value`` in the declared type, None if it cannot be that."""
    if type_ == "String":
        return value if isinstance(value, str) else str(value)
    if type_ == "Boolean":
        return value if isinstance(value, bool) else BOOLEANS.get(str(value).strip().lower())
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    if type_ == "Integer":
        return int(text.partition(".")[0]) if INTEGRAL.fullmatch(text) else None
    number = float(text) if DECIMAL.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None
