"""The intrinsic functions of a definition (``Get``, ``Std:Join``, ``Std:JsonGet``) as values.

Source: the public schema of pipeline definitions and what the SageMaker Python SDK v2 and v3 emit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainyard.definition import properties
from trainyard.definition.problems import (
    LIST,
    NULL,
    OBJECT,
    STRING,
    Problems,
    Where,
    kind_of,
    possible,
    shown,
)
from trainyard.errors import DefinitionError

NAMESPACES = ("Parameters", "Execution", "Steps", "PipelineExperimentConfig", "ForEach", "IterationOutput")
EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)
EXPERIMENT_FIELDS = ("ExperimentName", "TrialName")
FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")
NAMED_PATH = re.compile(r"([A-Za-z0-9_-]+)(?:\.|(?=\[))(.+)", re.DOTALL)
NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, kw_only=True)
class Get:
    """One reference: ``namespace`` and ``name``, and the path behind the name of a step."""

    text: str
    namespace: str
    name: str
    path: properties.Path = ()

    @property
    def property_file(self) -> str | None:
        """The name of the property file, for ``Steps.N.PropertyFiles.F``."""
        if self.namespace == "Steps" and self.path[0] == "PropertyFiles" and len(self.path) == 2:
            return str(self.path[1])
        return None


@dataclass(frozen=True, kw_only=True)
class Join:
    """``values``, raw and possibly expressions themselves, as strings with ``on`` between them."""

    on: str
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class JsonGet:
    """The value at ``path`` in the JSON of a property file or of an object in S3: one of the two is given."""

    property_file: Get | None
    s3_uri: Any
    path: properties.Path


Expression = Get | Join | JsonGet


def read(value: Any) -> Expression | None:
    """The expression that ``value`` is, or None for plain JSON. Does not look inside.

    Raises DefinitionError for an object that has a function's key and is not a well-formed call.
    """
    if not isinstance(value, dict):
        return None
    function = _function(value)
    if function is None:
        return None
    if len(value) > 1:
        raise DefinitionError(f"{shown(value)} has keys beside {function!r}; an expression has only one")
    argument = value[function]
    if function == "Get":
        return _read_get(argument)
    if function == "Std:Join":
        return _read_join(argument)
    if function == "Std:JsonGet":
        return _read_json_get(argument)
    raise DefinitionError(f"unknown function {function!r}; {possible(function, FUNCTIONS)}")


def scan(value: Any, where: Where, problems: Problems) -> Iterator[tuple[Where, Get]]:
    """Every ``Get`` anywhere in ``value``, with its place; malformed expressions go to ``problems``.

    A ``Get`` of a property file occurs only inside ``Std:JsonGet``; elsewhere it is a problem.
    """
    try:
        expression = read(value)
    except DefinitionError as error:
        problems.add(where, str(error))
        return
    if isinstance(expression, Get):
        if expression.property_file is not None:
            problems.add(where, f"{expression.text!r} is a property file; read it through Std:JsonGet")
        yield where, expression
    elif isinstance(expression, JsonGet) and expression.property_file:
        yield where, expression.property_file
    elif isinstance(expression, JsonGet):
        yield from scan(expression.s3_uri, where, problems)
    elif isinstance(expression, Join):
        for item in expression.values:
            yield from scan(item, where, problems)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from scan(item, where.at(key), problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from scan(item, where.at(index), problems)


def _function(value: dict[str, Any]) -> str | None:
    return next((key for key in value if key == "Get" or key.startswith("Std:")), None)


def _read_get(text: Any) -> Get:
    if not isinstance(text, str):
        raise DefinitionError(f"Get takes a string such as 'Parameters.Name', not {shown(text)}")
    namespace, _, rest = text.partition(".")
    if namespace not in NAMESPACES:
        raise DefinitionError(f"unknown reference {text!r}; it may start with: {', '.join(NAMESPACES)}")
    if namespace in ("Steps", "IterationOutput"):
        match = NAMED_PATH.fullmatch(rest)
        if match is None:
            raise DefinitionError(f"{text!r} names no property; write {namespace}.StepName.Property")
        return Get(text=text, namespace=namespace, name=match[1], path=_path(match[2], text))
    if namespace == "ForEach":
        path = _path(rest, text)
        _one_of(str(path[0]), ("CurrentItem",), text)
        return Get(text=text, namespace=namespace, name="CurrentItem", path=path[1:])
    if namespace == "Execution":
        _one_of(rest, EXECUTION_VARIABLES, text)
    elif namespace == "PipelineExperimentConfig":
        _one_of(rest, EXPERIMENT_FIELDS, text)
    elif not NAME.fullmatch(rest):
        raise DefinitionError(f"{text!r} is not Parameters.Name (letters, digits, '-' and '_')")
    return Get(text=text, namespace=namespace, name=rest)


def _one_of(name: str, names: tuple[str, ...], text: str) -> None:
    if name not in names:
        raise DefinitionError(f"unknown reference {text!r}: no {name!r}; {possible(name, names)}")


def _path(path: str, text: str) -> properties.Path:
    try:
        return properties.parse(path)
    except DefinitionError as error:
        raise DefinitionError(f"{text!r}: {error}") from error


def _read_join(argument: Any) -> Join:
    problems, where = Problems(), Where("Std:Join")
    if problems.is_a(argument, (OBJECT,), where):
        problems.refuse_unknown_keys(argument, ("On", "Values"), where)
        on = problems.field(argument, "On", STRING, where)
        values = problems.field(argument, "Values", LIST, where, required=True) or ()
        for index, value in enumerate(values):
            if kind_of(value) in (NULL, LIST) or (kind_of(value) == OBJECT and _function(value) is None):
                problems.add(where.at("Values", index), f"{shown(value)} is neither a value nor a function")
    _raise_if_any(problems)
    return Join(on=on or "", values=tuple(values))


def _read_json_get(argument: Any) -> JsonGet:
    problems, where = Problems(), Where("Std:JsonGet")
    source: Get | None = None
    path = ""
    if problems.is_a(argument, (OBJECT,), where):
        problems.refuse_unknown_keys(argument, ("PropertyFile", "S3Uri", "Path"), where)
        path = problems.field(argument, "Path", STRING, where, required=True) or ""
        if (argument.get("PropertyFile") is None) == (argument.get("S3Uri") is None):
            problems.add(where, "needs exactly one of PropertyFile and S3Uri")
        elif argument.get("PropertyFile") is not None:
            source = _read_property_file(argument["PropertyFile"], where.at("PropertyFile"), problems)
        elif not isinstance(argument["S3Uri"], str) and read(argument["S3Uri"]) is None:
            problems.add(where.at("S3Uri"), f"must be a string or a function, not {shown(argument['S3Uri'])}")
    _raise_if_any(problems)
    return JsonGet(property_file=source, s3_uri=argument.get("S3Uri"), path=_path(path, path))


def _raise_if_any(problems: Problems) -> None:
    if problems.messages:
        raise DefinitionError("; ".join(problems.messages))


def _read_property_file(value: Any, where: Where, problems: Problems) -> Get | None:
    reference = read(value)
    if isinstance(reference, Get) and reference.property_file is not None:
        return reference
    problems.add(where, f'must be {{"Get": "Steps.StepName.PropertyFiles.FileName"}}, not {shown(value)}')
    return None
