"""A serving container: what it must offer, and how to ask it over HTTP."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from trainyard.execution.model_data import ModelError

ANSWER_SECONDS = 60.0
"""How long a container may take to answer a request (AWS: 60 s)."""

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


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


def send(
    container: Container,
    method: str,
    path: str,
    request: Invocation | None = None,
    timeout: float = ANSWER_SECONDS,
) -> Reply:
    """Ask the container. Raises ModelError: 503 when it is not there, 504 when it takes too long."""
    connection = http.client.HTTPConnection(urlsplit(container.url).netloc, timeout=timeout)
    try:
        connection.request(method, path, request.body if request else None, _headers(request))
        response = connection.getresponse()
        return Reply(
            status=response.status,
            body=response.read(),
            content_type=response.getheader("Content-Type", ""),
            custom_attributes=response.getheader(CUSTOM_ATTRIBUTES, ""),
        )
    except TimeoutError as error:
        raise ModelError(504, f"the container did not answer within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = container.ended() or str(error)
        raise ModelError(503, f"the container does not answer: {reason}") from error
    finally:
        connection.close()


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
