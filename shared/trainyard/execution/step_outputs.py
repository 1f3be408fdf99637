"""OutputParameters of Lambda and Callback steps: what the step declares, of what it was given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.definition.parameters import KINDS, cast_to
from trainyard.errors import ParameterError


def typed(declared: Iterable[Mapping[str, Any]], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The value of each declared output in its type; text is cast, as the API sends all values as text.

    Raises ParameterError naming every output that is missing or of another type.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for output in declared:
        name, type_ = str(output.get("OutputName")), str(output.get("OutputType", "String"))
        value = given.get(name)
        if value is None:
            problems.append(f"no output {name!r}; given: {', '.join(given) or 'none'}")
        elif type_ not in KINDS:
            problems.append(f"output {name!r}: unknown OutputType {type_!r}; possible: {', '.join(KINDS)}")
        elif isinstance(value, dict | list) and type_ == "String":
            values[name] = json.dumps(value)
        elif isinstance(value, dict | list) or (found := cast_to(value, type_)) is None:
            problems.append(f"output {name!r}: {json.dumps(value)} is not {KINDS[type_]}")
        else:
            values[name] = found
    if problems:
        raise ParameterError(f"{where}: {'; '.join(problems)}")
    return values


def listed(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """As ListPipelineExecutionSteps shows them in a step's Metadata."""
    return [{"Name": name, "Value": _text(value)} for name, value in values.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
