"""The definition of a pipeline (the JSON that CreatePipeline takes) as a checked, frozen value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainyard.definition import consistency
from trainyard.definition.functions import EXPERIMENT_FIELDS
from trainyard.definition.parameters import Parameter, read_parameters
from trainyard.definition.problems import LIST, OBJECT, STRING, Problems, Where, kind_of, possible
from trainyard.definition.steps import Step, read_steps
from trainyard.errors import DefinitionError

VERSION = "2020-12-01"
KEYS = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
DEEPEST = 200
MLFLOW_KEYS = ("MlflowResourceArn", "MlflowExperimentName")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A whole definition. One that ``parse`` returned has no unknown name, reference or cycle in it.

    ``experiment_config`` and ``mlflow_config`` may hold expressions; they are empty where there is none.
    """

    version: str
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    metadata: Mapping[str, Any]
    experiment_config: Mapping[str, Any]
    mlflow_config: Mapping[str, Any]

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.all_steps()}

    def all_steps(self) -> tuple[Step, ...]:
        """Every step, nested ones right behind the step that holds them, in the order of the document."""
        return tuple(nested for step in self.steps for nested in step.walk())


def parse(raw: dict[str, Any] | str) -> Document:
    """Read and check a definition: all that can be known to be wrong before anything runs.

    Raises one DefinitionError that names every problem with its step and field. Whether the steps can run
    here is another question: ``runnable.check_runnable``.
    """
    problems = Problems()
    try:
        document = _read(_load(raw), problems)
        consistency.check(document, problems)
    except RecursionError:
        raise DefinitionError("the pipeline definition is nested too deeply to be read") from None
    problems.raise_if_any("the pipeline definition cannot be used")
    return document


def _load(raw: dict[str, Any] | str) -> dict[str, Any]:
    """The definition as JSON of our own: text is decoded, an object copied by way of text."""
    try:
        text = raw if isinstance(raw, str) else json.dumps(raw)
        content = json.loads(text, object_pairs_hook=unique_keys, parse_constant=_finite, parse_float=_finite)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"the pipeline definition is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DefinitionError(f"the pipeline definition must be {OBJECT}, not {kind_of(content)}")
    _check_depth(content)
    return content


def _check_depth(content: Any) -> None:
    """Whoever walks a definition recursively, here or later, must get to its end."""
    level = [content]
    for _ in range(DEEPEST):
        level = [
            item
            for value in level
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        raise DefinitionError(
            f"the pipeline definition is nested too deeply; at most {DEEPEST} levels are read"
        )


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: an object, unless a key is in it twice (ValueError)."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"one object has the same key twice: {', '.join(twice)}")
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no JSON number")
    return value


def _read(content: Mapping[str, Any], problems: Problems) -> Document:
    top = Where()
    problems.refuse_unknown_keys(content, KEYS, top)
    version = (
        problems.field(content, "Version", STRING, top) or VERSION
    )  # the public schema lets it be absent
    if version != VERSION:
        problems.add(top.at("Version"), f"unknown version {version!r}; {possible(version, [VERSION])}")
    steps = problems.field(content, "Steps", LIST, top, required=True)
    if steps == []:
        problems.add(top.at("Steps"), "empty; a pipeline needs at least one step")
    return Document(
        version=version,
        parameters=read_parameters(content.get("Parameters"), top.at("Parameters"), problems),
        steps=read_steps(steps or [], top.at("Steps"), problems),
        metadata=problems.field(content, "Metadata", OBJECT, top) or {},
        experiment_config=_config(content, "PipelineExperimentConfig", EXPERIMENT_FIELDS, problems),
        mlflow_config=_config(content, "MlflowConfig", MLFLOW_KEYS, problems),
    )


def _config(
    content: Mapping[str, Any], key: str, known: tuple[str, ...], problems: Problems
) -> Mapping[str, Any]:
    config: Mapping[str, Any] = problems.field(content, key, OBJECT, Where()) or {}
    problems.refuse_unknown_keys(config, known, Where().at(key))
    return config
