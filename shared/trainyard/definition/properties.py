"""Paths into JSON as ``Get`` and ``Std:JsonGet`` write them: ``.key``, ``['key']`` and ``[index]``."""

from __future__ import annotations

import re
from typing import Any

from trainyard.definition.problems import LIST, OBJECT, kind_of, possible
from trainyard.errors import DefinitionError, ExpressionError

Path = tuple[str | int, ...]

# Lists that a path may address by name instead of position: which field of a member holds its name.
# The SDK writes such paths for every list; these are the ones whose members have a name.
NAME_FIELDS = {
    "Outputs": "OutputName",
    "ProcessingInputs": "InputName",
    "FinalMetricDataList": "MetricName",
    "InputDataConfig": "ChannelName",
    "MetricDefinitions": "Name",
}

# A quoted key ends at the first quote that a bracket follows, because the SDK escapes nothing.
PART = re.compile(
    r"""(?P<dot>\.)?(?P<key>[^.\[\]'"]+)
      | \['(?P<single>.*?)'\]
      | \["(?P<double>.*?)"\]
      | \[(?P<index>[0-9]{1,9})\]""",
    re.VERBOSE | re.DOTALL,
)
PLAIN_KEY = re.compile(r"""[^.\[\]'"]+""")


def parse(path: str) -> Path:
    """``Outputs['train'].S3Output[0]`` -> ``("Outputs", "train", "S3Output", 0)``.

    Raises DefinitionError for a path that is empty or breaks the grammar.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        match = PART.match(path, position)
        if match is None or (match["key"] is not None and (match["dot"] is None) != (position == 0)):
            raise DefinitionError(
                f"path {path!r} breaks at {path[position:]!r}; possible: key.key, ['key'] and [0]"
            )
        parts.append(_part(match))
        position = match.end()
    if not parts:
        raise DefinitionError("an empty path; possible: key.key, ['key'] and [0]")
    return tuple(parts)


def _part(match: re.Match[str]) -> str | int:
    if match["index"] is not None:
        return int(match["index"])
    return next(match[group] for group in ("key", "single", "double") if match[group] is not None)


def render(parts: Path) -> str:
    """The path in its plainest spelling; ``parse(render(parts)) == parts`` for all parsed ``parts``."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]' if "']" in part else f"['{part}']"
    return text


def lookup(value: Any, parts: Path) -> Any:
    """The value at ``parts``, in a Describe response or in the JSON of a property file.

    A list takes an index, or a name where its members have one (``Outputs['train']`` finds the member
    whose OutputName is ``train``). Raises ExpressionError saying what was there instead.
    """
    for depth, part in enumerate(parts):
        name_field = NAME_FIELDS.get(str(parts[depth - 1])) if depth else None
        here = render(parts[:depth]) or "the top"
        if isinstance(value, dict) and isinstance(part, str):
            if part not in value:
                raise ExpressionError(f"nothing called {part!r} at {here}; {possible(part, value)}")
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int):
            if part >= len(value):
                raise ExpressionError(f"no item {part} at {here}, which has {len(value)}")
            value = value[part]
        elif isinstance(value, list) and name_field:
            value = _named(value, str(part), name_field, here)
        else:
            wanted = OBJECT if isinstance(part, str) else LIST
            raise ExpressionError(f"{here} is {kind_of(value)}, so it has no {part!r}; wanted {wanted}")
    return value


def _named(members: list[Any], name: str, name_field: str, here: str) -> Any:
    named = [member for member in members if isinstance(member, dict) and name_field in member]
    for member in named:
        if member[name_field] == name:
            return member
    known = [str(member[name_field]) for member in named]
    raise ExpressionError(f"no {name_field} {name!r} at {here}; {possible(name, known)}")
