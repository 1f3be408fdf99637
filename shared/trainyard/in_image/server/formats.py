"""Media types: what the headers ask for, and the defaults for input_fn and output_fn."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from trainyard.in_image.handler_errors import BadRequest, NotAcceptable, UnsupportedMediaType

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
READABLE = (JSON, CSV, NPY)
_TEXT = (JSON, "application/jsonlines", "application/x-ndjson")


class MediaType(str):
    """A content type without its parameters, which stand beside it: {"score_threshold": "0.5"}, names in lower case."""

    parameters: dict[str, str]

    @classmethod
    def of(cls, header: str) -> MediaType:
        name, *parameters = [part.strip() for part in header.split(";")]
        media_type = cls(name.lower())
        pairs = (parameter.partition("=") for parameter in parameters)
        media_type.parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        return media_type


def parse_content_type(header: str, body: bytes) -> tuple[MediaType, str | bytes]:
    """The media type and the body: str for text types, else as it came.

    Raises UnsupportedMediaType for an unknown charset, BadRequest where the body is not in it.
    """
    media_type = MediaType.of(header or JSON)
    if not (media_type in _TEXT or media_type.startswith("text/")):
        return media_type, body
    charset = media_type.parameters.get("charset", "utf-8")
    try:
        return media_type, body.decode(charset)
    except (LookupError, ValueError) as error:
        # a codec that is no text encoding ("hex") raises LookupError as well
        if isinstance(error, UnicodeDecodeError):
            raise BadRequest(f"the body is not {charset} text: {error}") from error
        raise UnsupportedMediaType(f"unknown charset {charset!r} in Content-Type {header!r}") from error


def parse_accept(header: str, default: str) -> list[str]:
    """The media types of an Accept header, most wanted first, without parameters; ``default`` for any."""
    wanted: list[tuple[float, str]] = []
    for entry in header.split(","):
        media_type, *parameters = [part.strip() for part in entry.split(";")]
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                quality = _quality(value, header)
        if media_type and quality > 0:
            wanted.append((quality, media_type.lower()))
    wanted.sort(key=lambda entry: -entry[0])
    return [default if media_type == "*/*" else media_type for _, media_type in wanted] or [default]


def _quality(text: str, header: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadRequest(f"Accept {header!r}: q={text!r} is not a number") from error


def decode(body: str | bytes, content_type: str) -> Any:
    """The default input_fn: JSON to its objects, CSV to rows of numbers and texts, npy to an array.

    Raises UnsupportedMediaType or BadRequest. Nothing is ever unpickled.
    """
    if content_type == JSON:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from error
    if content_type == CSV:
        return _read_csv(str(body))
    if content_type == NPY and isinstance(body, bytes):
        return _read_npy(body)
    raise UnsupportedMediaType(f"content type {content_type!r} cannot be read; use {', '.join(READABLE)}")


def _read_csv(text: str) -> list[list[float | str]]:
    try:
        # newline=None: lines may end as on any system
        return [[_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=None)) if row]
    except csv.Error as error:
        raise BadRequest(f"the body is not CSV: {error}") from error


def _cell(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _read_npy(body: bytes) -> Any:
    import numpy

    try:
        return numpy.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise BadRequest(f"the body is not a plain .npy array: {error}") from error


def encode(prediction: Any, accept: str) -> bytes:
    """The default output_fn. Raises NotAcceptable; TypeError or ValueError for what a type cannot hold."""
    if accept == JSON:
        return json.dumps(prediction, default=_to_list, allow_nan=False).encode()
    if accept == CSV:
        text = io.StringIO()
        rows = _to_list(prediction) if hasattr(prediction, "tolist") else prediction
        writer = csv.writer(text, lineterminator="\n")
        for row in rows if isinstance(rows, (list, tuple)) else [rows]:
            writer.writerow(row if isinstance(row, (list, tuple)) else [row])
        return text.getvalue().encode()
    if accept == NPY:
        import numpy

        array = io.BytesIO()
        numpy.save(array, numpy.asarray(prediction), allow_pickle=False)
        return array.getvalue()
    raise NotAcceptable(f"no answer as {accept!r}; there are {', '.join(READABLE)}")


def _to_list(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in JSON; write an output_fn")
