"""The shape of family.toml: which keys there are, what each may hold, and what is wrong with a given file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from trainyard.readers import (
    Key,
    Problems,
    check,
    is_integer,
    is_number,
    list_of,
    named,
    one_of,
    shown,
    table,
    text,
)


def read(document: Any, problems: Problems) -> dict[str, Any]:
    """All keys of a family.toml with defaults filled in; of use only if nothing was added to ``problems``."""
    result: dict[str, Any] = table(FAMILY)(document, "", problems)
    if not problems:
        _example_fits_serving(result, problems)
    return result


def _metric_regex(value: Any, where: str, problems: Problems) -> Any:
    try:
        groups = re.compile(value).groups if isinstance(value, str) else -1
    except (re.error, OverflowError, RecursionError) as error:
        problems.append(f"{where} = {shown(value)}: not a regular expression: {error}")
        return value
    if groups != 1:
        problems.append(f"{where} = {shown(value)}: needs exactly one group, which holds the number")
    return value


def _hyperparameter(value: Any, where: str, problems: Problems) -> dict[str, Any]:
    before = len(problems)
    result: dict[str, Any] = table(HYPERPARAMETER)(value, where, problems)
    if len(problems) > before:
        return result
    kind, default = result["type"], result["default"]
    numeric = kind in ("integer", "continuous")
    for key, belongs in (("values", kind == "categorical"), ("range", numeric), ("scale", numeric)):
        if key in value and not belongs:
            problems.append(f"{where}.{key}: has no meaning for type {kind}")
        elif key not in value and belongs and key != "scale":
            problems.append(f"{where}.{key}: missing; type {kind} needs it")
    if len(problems) > before:
        return result
    if numeric:
        _check_numbers(kind, default, result["range"], result["scale"], where, problems)
    elif not isinstance(default, str):
        problems.append(f"{where}.default = {shown(default)}: must be text")
    elif kind == "categorical" and default not in result["values"]:
        allowed = ", ".join(result["values"])
        problems.append(f"{where}.default = {shown(default)}: not one of values: {allowed}")
    return result


def _check_numbers(
    kind: str, default: Any, limits: tuple[Any, ...], scale: str | None, where: str, problems: Problems
) -> None:
    fits = is_integer if kind == "integer" else is_number
    if len(limits) != 2 or not all(fits(limit) for limit in limits) or limits[0] > limits[1]:
        kinds = "whole numbers" if kind == "integer" else "numbers"
        problems.append(f"{where}.range = {shown(limits)}: must be [min, max], two {kinds} with min <= max")
    elif not fits(default) or not limits[0] <= default <= limits[1]:
        least, most = limits
        wanted = "a whole number" if kind == "integer" else "a number"
        problems.append(f"{where}.default = {shown(default)}: must be {wanted} from {least} to {most}")
    elif scale == "Logarithmic" and limits[0] <= 0:
        problems.append(f"{where}.scale = {shown(scale)}: needs a range above 0, not from {limits[0]}")


def _sources(value: Any, where: str, problems: Problems) -> tuple[dict[str, Any], ...]:
    before = len(problems)
    sources: tuple[dict[str, Any], ...] = list_of(table(SOURCE))(value, where, problems)
    if len(problems) == before:
        for key in ("package", "variable"):
            given = [source[key] for source in sources]
            for one in sorted({one for one in given if given.count(one) > 1}):
                problems.append(f"{where}: {key} = {shown(one)} is given more than once")
    return sources


def _example_fits_serving(family: dict[str, Any], problems: Problems) -> None:
    target, multi_model = family["example"]["target_model"], family["serving"]["multi_model"]
    if multi_model and target is None:
        problems.append("example.target_model: missing; serving.multi_model = true needs it")
    if not multi_model and target is not None:
        problems.append(
            f"example.target_model = {shown(target)}: has a meaning only with serving.multi_model = true"
        )


def _is_inside(value: Any) -> bool:
    if not isinstance(value, str) or not value or "\\" in value or "\0" in value:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts and str(path) == value


_LINE = text(r"[^\n\r]*\S[^\n\r]*", "must be one line of text")
_FLAG = check(lambda value: isinstance(value, bool), "must be true or false")
_ANY = check(lambda value: True, "")
_SCALAR = check(lambda value: isinstance(value, str | int | float), "must be text, a number, true or false")
_INSTANCE = text(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", 'must be a SageMaker instance type such as "ml.m5.large"')
_MEDIA_TYPE = text(r"[a-z0-9.+-]+/[a-z0-9.+-]+", 'must be a content type such as "application/json"')
_FILE = check(_is_inside, "must be the path of a file below the family's folder")

HYPERPARAMETER = {
    "type": Key(one_of("categorical", "integer", "continuous", "text")),
    "default": Key(_ANY),
    "meaning": Key(_LINE),
    "values": Key(list_of(text(r"(?s).*", "must be text"), at_least=1), required=False, default=()),
    "range": Key(list_of(_ANY), required=False),
    "scale": Key(one_of("Auto", "Linear", "Logarithmic"), required=False),
}
METRIC = {
    "name": Key(text(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*", 'must be a name such as "validation:rmse"')),
    "regex": Key(_metric_regex),
}
SOURCE = {
    "package": Key(text(r"[a-z0-9]+(-[a-z0-9]+)*", 'must be a package\'s name such as "detectron2"')),
    "variable": Key(
        text(r"[A-Z][A-Z0-9_]*_SOURCE", 'must be a variable\'s name such as "DETECTRON2_SOURCE"')
    ),
    "default": Key(
        text(r"git\+https://[^\s@]+@[0-9a-f]{40}", 'must be pinned: "git+https://HOST/PATH@<40 hex>"')
    ),
    "compiled": Key(_FLAG, required=False, default=False),
}
IMAGE = {
    "base": Key(text(r"[a-z0-9][\w./:-]*@sha256:[0-9a-f]{64}", 'must be pinned: "name:tag@sha256:<64 hex>"')),
    "architectures": Key(list_of(one_of("amd64", "arm64"), at_least=1)),
    "sources": Key(_sources, required=False, default=()),
}
TRAINING = {
    "instance": Key(_INSTANCE),
    "spot": Key(_FLAG, required=False, default=False),
    "checkpoint": Key(text(r"/opt/ml/[\w./-]+", "must be a folder below /opt/ml"), required=False),
    "metrics": Key(list_of(table(METRIC)), required=False, default=()),
    "hyperparameters": Key(named(r"[A-Za-z][A-Za-z0-9_-]*", _hyperparameter), required=False, default={}),
}
SERVING = {
    "server": Key(one_of("pooled", "multi-model-server")),
    "content_types": Key(list_of(_MEDIA_TYPE, at_least=1)),
    "accept": Key(list_of(_MEDIA_TYPE, at_least=1)),
    "instance": Key(_INSTANCE),
    "multi_model": Key(_FLAG, required=False, default=False),
}
EXAMPLE = {
    "generate": Key(_FILE),
    "request": Key(_FILE),
    "answer": Key(_FILE),
    "bad_requests": Key(_FILE),
    "target_model": Key(_LINE, required=False),
    "parameters": Key(named(r"[A-Za-z0-9_-]+", _SCALAR), required=False, default={}),
}
FAMILY = {
    # What names of images, pipelines and model package groups may all be.
    "name": Key(
        text(r"(?=.{1,63}$)[a-z](-?[a-z0-9])*", "must be 1 to 63 lower-case letters, digits and single -")
    ),
    "owner": Key(text(r"@[\w-]+(/[\w.-]+)?", 'must be a team or a person: "@organization/team", "@person"')),
    "description": Key(_LINE),
    "image": Key(table(IMAGE)),
    "training": Key(table(TRAINING)),
    "serving": Key(table(SERVING)),
    "example": Key(table(EXAMPLE)),
}
