"""What Processing and Training steps share: checks of their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from trainyard.errors import DefinitionError, StoreError
from trainyard.execution.s3 import parse_uri

_MOST_HOSTS = 32
_LONGEST_VARIABLE = 131_072  # bytes; MAX_ARG_STRLEN
_MOST_VARIABLES = 1 << 20  # bytes; Linux takes 2 MiB, arguments and the platform's own variables included


def need(step: str, arguments: Mapping[str, Any], *path: str, at: str = "Arguments") -> Any:
    """The value at a path of keys; raises DefinitionError naming step and field where there is none."""
    value: Any = arguments
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            raise DefinitionError(f"step {step!r}: {at}.{'.'.join(path)} is missing")
        value = value[key]
    return value


def check_count(step: str, field_path: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_HOSTS:
        raise DefinitionError(
            f"step {step!r}: {field_path} is {value!r}; a whole number from 1 to {_MOST_HOSTS} is needed"
        )
    return value


def s3_uri(step: str, place: str, value: Any) -> str:
    """The value, if it is an S3 URI or holds what no step has given yet; raises DefinitionError."""
    if not isinstance(value, str):
        raise DefinitionError(f"step {step!r}: {place} is {value!r}; it has the form s3://BUCKET/KEY")
    if "${" not in value:
        try:
            parse_uri(value)
        except StoreError as error:
            raise DefinitionError(f"step {step!r}: {place}: {error}") from error
    return value


def environment(step: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The request's Environment as strings; raises DefinitionError for what no process can have."""
    variables = {str(name): str(value) for name, value in arguments.get("Environment", {}).items()}
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            raise DefinitionError(f"step {step!r}: Environment[{name!r}] cannot be an environment variable")
        if len(f"{name}={value}".encode()) >= _LONGEST_VARIABLE:
            raise DefinitionError(f"step {step!r}: Environment[{name!r}] is too long; Linux takes 128 KiB")
    total = sum(len(f"{name}={value}".encode()) for name, value in variables.items())
    if total > _MOST_VARIABLES:
        raise DefinitionError(
            f"step {step!r}: Environment has {total} bytes, more than a program can be given; "
            f"keep it below {_MOST_VARIABLES} and put the rest into an input"
        )
    return variables


def container_path(step: str, place: str, path: str, base: str) -> str:
    """The path, if it is an absolute one below ``base`` that cannot leave it; raises DefinitionError."""
    parts = PurePosixPath(path)
    if ".." in parts.parts or not parts.is_relative_to(base) or str(parts) == base:
        raise DefinitionError(f"step {step!r}: {place} is {path!r}; it must be a folder below {base}")
    return str(parts)
