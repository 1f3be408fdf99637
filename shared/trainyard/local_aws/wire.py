"""JSON of the AWS JSON protocols read and written by botocore's shapes, which say what AWS would refuse.

Source: smithy.io, "AWS JSON 1.1 protocol"; the wording of errors is that of AWS's services.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from trainyard.local_aws.messages import AwsError

if TYPE_CHECKING:
    from botocore.model import Shape

_LAST_SECOND = 253_402_300_799  # of the year 9999
_BITS = {"integer": 31, "long": 63}
_SHOWN = 1024
_MATCHED = 4096  # no name is longer, and a pattern may need time quadratic in the length
_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s", r"\p{Alnum}": "a-zA-Z0-9"}


def load(body: bytes | str) -> dict[str, Any]:
    """The JSON object of a request's body, which may be empty. Raises AwsError."""
    try:
        value = json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise AwsError("SerializationException", "the body is not a JSON object")
    return value


def parse(shape: Shape, value: Any) -> Any:
    """Validated members as Python has them: times are seconds since 1970, blobs bytes, nulls are left out.

    Members that the shape does not have are ignored, as AWS does. Raises AwsError: SerializationException for a
    wrong type, else one ValidationException with all that is wrong.
    """
    reader = _Reader()
    parsed = reader.read(shape, value, "")
    if wrong := reader.violations:
        errors = "error" if len(wrong) == 1 else "errors"
        raise AwsError(
            "ValidationException", f"{len(wrong)} validation {errors} detected: {'; '.join(wrong)}"
        )
    return parsed


def serialize(shape: Shape, value: Any) -> Any:
    """JSON of a value: only what the shape has, without what is None."""
    if getattr(shape, "is_document_type", False):
        return value
    match shape.type_name:
        case "structure" if isinstance(value, Mapping):
            return {
                name: serialize(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [serialize(shape.member, item) for item in value]
        case "map":
            return {key: serialize(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return seconds(value)
        case "blob":
            return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        case "float" | "double" if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    return value


class _Reader:
    def __init__(self) -> None:
        self.violations: list[str] = []

    def read(self, shape: Shape, value: Any, path: str) -> Any:
        if getattr(shape, "is_document_type", False):
            return value
        match shape.type_name:
            case "structure":
                return self._structure(shape, value, path)
            case "list":
                self._require(isinstance(value, list), value, "List", path)
                self._length(shape, value, path)
                parts = [(item, f"{path}.{number}.member") for number, item in enumerate(value, 1)]
                return [self._present(shape.member, item, place) for item, place in parts]
            case "map":
                self._require(isinstance(value, dict), value, "Map", path)
                self._length(shape, value, path)
                return {
                    self.read(shape.key, key, f"{path}.key"): self._present(
                        shape.value, item, f"{path}.{key}.member"
                    )
                    for key, item in value.items()
                }
            case "string":
                return self._string(shape, value, path)
        return self._scalar(shape, value, path)

    def _structure(self, shape: Shape, value: Any, path: str) -> dict[str, Any]:
        self._require(isinstance(value, dict), value, "Structure", path)
        found = {}
        for name, member in shape.members.items():
            place = f"{path}.{_lower(name)}".lstrip(".")
            if value.get(name) is not None:
                found[name] = self.read(member, value[name], place)
            elif name in shape.required_members:
                self._violation(None, place, "Member must not be null")
        return found

    def _present(self, shape: Shape, value: Any, path: str) -> Any:
        if value is None:
            return self._violation(None, path, "Member must not be null")
        return self.read(shape, value, path)

    def _string(self, shape: Shape, value: Any, path: str) -> str:
        self._require(isinstance(value, str), value, "String", path)
        try:
            value.encode()
        except UnicodeEncodeError:
            _unreadable(f"the text at {path!r} is not Unicode")
        allowed, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
        if not self._length(shape, value, path):
            pass
        elif allowed and value not in allowed:
            self._violation(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        elif pattern and len(value) <= _MATCHED and (regex := _regex(pattern)) and not regex.fullmatch(value):
            self._violation(value, path, f"Member must satisfy regular expression pattern: {pattern}")
        return str(value)

    def _scalar(self, shape: Shape, value: Any, path: str) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e308
        match shape.type_name:
            case "boolean":
                self._require(isinstance(value, bool), value, "Boolean", path)
                return value
            case "integer" | "long" as name:
                self._require(number and value == int(value), value, name.title(), path)
                self._require(abs(value) < 2 ** _BITS[name], value, name.title(), path)
                return self._within(shape, int(value), path)
            case "float" | "double":
                self._require(number, value, "Double", path)
                return self._within(shape, value, path)
            case "timestamp":
                return self._time(value, path)
            case "blob":
                return self._blob(shape, value, path)
        raise AssertionError(f"no rule for shapes of type {shape.type_name}")

    def _time(self, value: Any, path: str) -> float:
        try:
            moment = seconds(value)
        except (ValueError, TypeError, OverflowError):
            moment = -1.0
        self._require(0 <= moment <= _LAST_SECOND, value, "Timestamp", path)
        return moment

    def _blob(self, shape: Shape, value: Any, path: str) -> bytes:
        self._require(isinstance(value, str), value, "Blob", path)
        try:
            content = base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            _unreadable(f"the blob at {path!r} is not base64")
        self._length(shape, content, path)
        return content

    def _length(self, shape: Shape, value: Sequence[Any] | Mapping[Any, Any], path: str) -> bool:
        return self._limits(shape, value, len(value), "length", path)

    def _within(self, shape: Shape, value: float, path: str) -> float:
        self._limits(shape, value, value, "value", path)
        return value

    def _limits(self, shape: Shape, value: Any, size: float, what: str, path: str) -> bool:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and size < float(least):
            self._violation(value, path, f"Member must have {what} greater than or equal to {least}")
        elif most is not None and size > float(most):
            self._violation(value, path, f"Member must have {what} less than or equal to {most}")
        else:
            return True
        return False

    def _violation(self, value: Any, path: str, constraint: str) -> None:
        shown = "null" if value is None else f"'{str(value)[:_SHOWN]}'"
        self.violations.append(f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}")

    def _require(self, holds: bool, value: Any, wanted: str, path: str) -> None:
        if not holds:
            _unreadable(f"the value {json.dumps(value)[:_SHOWN]} at {path!r} cannot be converted to {wanted}")


def _unreadable(message: str) -> NoReturn:
    raise AwsError("SerializationException", message)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def seconds(value: Any) -> float:
    """A time in seconds since 1970, of such seconds or of ISO 8601 text, which without a zone is UTC.

    Raises ValueError.
    """
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool):
        raise ValueError("a truth value is no time")
    return float(value)


@cache
def _regex(pattern: str) -> re.Pattern[str] | None:
    """A Java pattern, which matches a whole text; None where Python has no equal of it."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return None
