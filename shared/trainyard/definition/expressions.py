"""Expressions to values: typed, nested anywhere in JSON, with a mode for plans made before anything ran.

``resolve`` gives every expression its value or raises; ``preview`` writes what has no value yet as
text such as ``${Steps.Train.ModelArtifacts.S3ModelArtifacts}``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from trainyard.definition import functions, properties
from trainyard.definition.functions import Expression, Get, Join, JsonGet
from trainyard.definition.problems import kind_of, shown
from trainyard.errors import ExpressionError


class Scope(Protocol):
    """What references mean in one execution. Each raises ExpressionError for what has no value."""

    # the value of a pipeline parameter, in its declared type
    def parameter(self, name: str) -> Any: ...

    # an execution variable such as PipelineExecutionId; TrainingJobName is that of the job being prepared
    def execution(self, variable: str) -> Any: ...

    # ExperimentName or TrialName of the definition's PipelineExperimentConfig
    def experiment(self, name: str) -> Any: ...

    # properties.lookup(<Describe response of the step>, path)
    def step_property(self, step: str, path: properties.Path) -> Any: ...

    # properties.lookup(<the item of the ForEach step that is running>, path)
    def current_item(self, path: properties.Path) -> Any: ...

    # the parsed JSON of a step's property file
    def property_file(self, step: str, name: str) -> Any: ...

    # the parsed JSON of an object in S3
    def s3_json(self, uri: str) -> Any: ...


def resolve(value: Any, scope: Scope) -> Any:
    """``value`` with every expression replaced by what it stands for, in its own type.

    Raises ExpressionError with the reference that has no value; DefinitionError if one is malformed.
    """
    return _walk(value, scope, _refuse)


def preview(value: Any, scope: Scope) -> Any:
    """Like ``resolve``, but what has no value yet becomes readable text: for ``--dry-run``."""
    return _walk(value, scope, lambda expression, _: _placeholder(expression))


def stringify(value: Any) -> str:
    """A value as ``Std:Join`` writes it.

    Booleans are ``true`` and ``false``, as SageMaker writes them (the SDK's own runtime reads a Boolean
    parameter back with ``== "true"``, and its tests against the service expect a condition's outcome
    as ``false``). A Float keeps its point (``3.0``); how SageMaker spells very large and small ones is
    not documented, here they read as in Python (``1e-05``).
    Raises ExpressionError for null, lists and objects.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ExpressionError(f"{kind_of(value)} ({shown(value)}) cannot be part of a Std:Join")


def text_of(expression: Expression) -> str:
    """An expression as people write it, for messages and plans."""
    if isinstance(expression, Get):
        return expression.text
    if isinstance(expression, JsonGet):
        source = expression.property_file.text if expression.property_file else _part(expression.s3_uri)
        return f"{source}:{properties.render(expression.path)}"
    return expression.on.join(_part(value) for value in expression.values)


def _part(value: Any) -> str:
    """A part of an expression in the text of the whole."""
    expression = functions.read(value)
    return stringify(value) if expression is None else _placeholder(expression)


def _placeholder(expression: Expression) -> str:
    """``${...}`` for what has no value yet; a Join only says so of its parts."""
    text = text_of(expression)
    return text if isinstance(expression, Join) else f"${{{text}}}"


_Unresolved = Callable[[Expression, ExpressionError], Any]


def _refuse(expression: Expression, error: ExpressionError) -> Any:
    raise ExpressionError(f"{text_of(expression)}: {error}") from error


def _walk(value: Any, scope: Scope, unresolved: _Unresolved) -> Any:
    expression = functions.read(value)
    if expression is not None:
        try:
            return _evaluate(expression, scope, unresolved)
        except ExpressionError as error:
            return unresolved(expression, error)
    if isinstance(value, dict):
        return {key: _walk(item, scope, unresolved) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, scope, unresolved) for item in value]
    return value


def _evaluate(expression: Expression, scope: Scope, unresolved: _Unresolved) -> Any:
    if isinstance(expression, Get):
        return _get(expression, scope)
    if isinstance(expression, JsonGet):
        return properties.lookup(_json(expression, scope), expression.path)
    values = [_walk(value, scope, unresolved) for value in expression.values]
    return expression.on.join(map(stringify, values))


def _json(expression: JsonGet, scope: Scope) -> Any:
    """The JSON to look into; an address with a part that has no value is never asked for."""
    file = expression.property_file
    if file is not None:
        return scope.property_file(file.name, str(file.property_file))
    return scope.s3_json(stringify(_walk(expression.s3_uri, scope, _refuse)))


def _get(get: Get, scope: Scope) -> Any:
    if get.namespace == "Parameters":
        return scope.parameter(get.name)
    if get.namespace == "Execution":
        return scope.execution(get.name)
    if get.namespace == "PipelineExperimentConfig":
        return scope.experiment(get.name)
    if get.namespace == "Steps":
        return scope.step_property(get.name, get.path)
    if get.namespace == "ForEach":
        return scope.current_item(get.path)
    raise ExpressionError(f"{get.namespace} has a value only in the Selector of a ForEach step")
