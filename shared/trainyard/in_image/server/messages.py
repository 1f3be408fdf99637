"""HTTP requests and answers as values, read from and written to ASGI (asgi.readthedocs.io, "HTTP")."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.server.formats import JSON

CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
# an over-long body is read up to this many times the limit, so that its sender sees the answer
_PATIENCE = 10
_SILENCE = 60  # seconds

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """``path`` is split at its slashes and then decoded, so that a name may hold an encoded slash."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> Request:
        """Raises Refused (400) for a path that is not UTF-8."""
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "replace")
        try:
            path = tuple(unquote(part, errors="strict") for part in raw.split("/")[1:])
        except UnicodeDecodeError as error:
            raise Refused(400, f"path {raw!r} is not percent-encoded UTF-8") from error
        return cls(
            method=scope["method"],
            path=path,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={
                key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]
            },
            body=body,
        )


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(content).encode() + b"\n")

    @classmethod
    def error(cls, status: int, message: str) -> Answer:
        return cls.json({"code": status, "message": message}, status)


class Disconnected(Exception):
    """The client went away before its request was whole."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises Refused (413: more than ``limit`` bytes; 408: none came for long), Disconnected."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= limit * _PATIENCE:
        try:
            message = await asyncio.wait_for(receive(), _SILENCE)
        except TimeoutError as error:
            raise Refused(408, f"no more of the body came for {_SILENCE} s") from error
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > limit:
        raise Refused(
            413, f"the body has more than {limit} bytes (SAGEMAKER_MAX_PAYLOAD_IN_MB sets the limit)"
        )
    return b"".join(chunks)


async def write(send: Send, answer: Answer) -> None:
    length = str(len(answer.body))
    headers = (("content-type", answer.content_type), ("content-length", length), *answer.headers)
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
