"""A serving container: what it must offer, and how to ask it over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable
from urllib.parse import urlsplit

from trainyard.errors import Unsupported
from trainyard.execution.model_data import ModelError
from trainyard.execution.targets import Target
from trainyard.in_image.opt_ml import OptMl

ANSWER_SECONDS = 60.0
"""How long a container may take to answer a request (AWS: 60 s)."""

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

_PART = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """InvokeEndpoint's request; empty texts are headers that were not sent."""

    body: bytes
    content_type: str = ""
    accept: str = ""
    custom_attributes: str = ""
    target_model: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The container's answer, whatever its status."""

    status: int
    body: bytes
    content_type: str = ""
    custom_attributes: str = ""


class Container(Protocol):
    """One process (or real container) that runs an image's ``serve``, with its port already chosen."""

    # where it answers, for example http://127.0.0.1:40001
    @property
    def url(self) -> str: ...

    # start it and return at once
    def start(self) -> None: ...

    # why it is not running any more (exit code, last line of its log), or "" while it runs
    def ended(self) -> str: ...

    # SIGTERM, up to 30 s of grace, SIGKILL; harmless when it has ended
    def stop(self) -> None: ...


class Serving(Container, Protocol):
    """A container whose files are on this machine: ``ml`` is its ``/opt/ml``, ``log`` what it prints."""

    @property
    def ml(self) -> OptMl: ...

    @property
    def log(self) -> Path: ...


@runtime_checkable
class ServingLauncher(Protocol):
    """A launcher that makes serving containers as well; ``folder`` is for the container's files."""

    def serving(self, target: Target, folder: Path, environment: Mapping[str, str]) -> Serving: ...


def serve_with(launcher: object, target: Target, folder: Path, environment: Mapping[str, str]) -> Serving:
    """What will serve a model, not yet started. Raises Unsupported for a launcher that only runs jobs."""
    if not isinstance(launcher, ServingLauncher):
        raise Unsupported(f"{target} cannot serve models here: its launcher runs jobs only")
    return launcher.serving(target, folder, environment)


def send(
    container: Container,
    method: str,
    path: str,
    request: Invocation | None = None,
    timeout: float = ANSWER_SECONDS,
) -> Reply:
    """Ask the container. Raises ModelError: 503 when it is not there, 504 when it takes too long."""
    streamed = open_stream(container, method, path, request, timeout)
    return Reply(
        status=streamed.status,
        body=b"".join(streamed.parts),
        content_type=streamed.content_type,
        custom_attributes=streamed.custom_attributes,
    )


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """The beginning of an answer, and the parts of its body as they come, which raise ModelError if it breaks off."""

    status: int
    parts: Iterator[bytes]
    content_type: str = ""
    custom_attributes: str = ""


def open_stream(
    container: Container,
    method: str,
    path: str,
    request: Invocation | None = None,
    timeout: float = ANSWER_SECONDS,
    content: BinaryIO | None = None,
) -> Streamed:
    """As ``send``; ``timeout`` is for each part. The connection is open until ``parts`` are taken or closed.

    ``content`` is sent instead of the request's body, in chunks (Transfer-Encoding).
    """
    address = urlsplit(container.url).netloc
    connection = http.client.HTTPConnection(address, timeout=timeout, blocksize=_PART)
    try:
        with _refusals(container, timeout):
            body = content or (request.body if request else None)
            connection.request(method, path, body, _headers(request))
            response = connection.getresponse()
    except BaseException:
        connection.close()
        raise

    def parts() -> Iterator[bytes]:
        try:
            yield b""  # begun at once: a generator that never began closes nothing
            with _refusals(container, timeout):
                while part := response.read1(_PART):
                    yield part
                if response.length:  # what `read` would notice
                    raise http.client.IncompleteRead(b"", response.length)
        finally:
            connection.close()

    begun = parts()
    next(begun)
    return Streamed(
        status=response.status,
        parts=begun,
        content_type=response.getheader("Content-Type", ""),
        custom_attributes=response.getheader(CUSTOM_ATTRIBUTES, ""),
    )


@contextmanager
def _refusals(container: Container, timeout: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ModelError(504, f"the container did not answer within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = container.ended() or str(error)
        raise ModelError(503, f"the container does not answer: {reason}") from error


def message_of(reply: Reply) -> str:
    """What a container's refusal says: the ``message`` of its JSON, or its text."""
    text = reply.body.decode("utf-8", "replace").strip()
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return str(content["message"]) if isinstance(content, dict) and "message" in content else text


def _headers(request: Invocation | None) -> dict[str, str]:
    if request is None:
        return {}
    headers = {
        "Content-Type": request.content_type,
        "Accept": request.accept,
        CUSTOM_ATTRIBUTES: request.custom_attributes,
    }
    return {name: value for name, value in headers.items() if value}
