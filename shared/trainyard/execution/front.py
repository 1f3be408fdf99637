"""A local endpoint's HTTP: plain paths for curl and SageMaker Runtime's own for boto3.

    POST /invocations                    the container's answer, or the platform's refusal, with its own status
    POST /endpoints/{name}/invocations   as InvokeEndpoint answers, errors included
    GET  /ping
    GET  /models                         the models there are, and whether each is loaded

Source: AWS API reference, "InvokeEndpoint" (Amazon SageMaker Runtime).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from trainyard.execution.container import CUSTOM_ATTRIBUTES, Invocation, Reply, message_of
from trainyard.execution.hosting import TARGET_MODEL, ModelServer
from trainyard.execution.model_data import ModelError
from trainyard.execution.threaded_server import ThreadedServer

# AWS, "Inference options in Amazon SageMaker AI": real-time inference takes payloads of up to 25 MB
MAX_BODY = 25 * 2**20
_PATIENCE = 4  # an over-long body is read up to this many times the limit, so that its sender sees the answer


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def _json(status: int, content: Any, *headers: tuple[str, str]) -> Answer:
    body = json.dumps(content).encode() + b"\n"
    return Answer(status=status, body=body, headers=(("Content-Type", "application/json"), *headers))


def invoke(models: ModelServer, invocation: Invocation) -> Answer:
    """The container's answer as it is; what the platform refuses is ``{"message": ...}``."""
    try:
        reply = models.invoke(invocation)
    except ModelError as error:
        return _json(error.status, {"message": str(error)})
    headers = [("Content-Type", reply.content_type), (CUSTOM_ATTRIBUTES, reply.custom_attributes)]
    return Answer(
        status=reply.status, body=reply.body, headers=tuple((key, value) for key, value in headers if value)
    )


def invoke_endpoint(models: ModelServer, invocation: Invocation) -> Answer:
    """InvokeEndpoint's answer."""
    try:
        return answered(models.invoke(invocation), "AllTraffic")
    except ModelError as error:
        return refused(error)


def answered(reply: Reply, variant: str, container: str = "primary") -> Answer:
    """A container's answer as InvokeEndpoint gives it; its failure is ModelError (424)."""
    if reply.status < 400:
        headers = [
            ("Content-Type", reply.content_type),
            ("x-Amzn-Invoked-Production-Variant", variant),
            (CUSTOM_ATTRIBUTES, reply.custom_attributes),
        ]
        return Answer(
            status=200, body=reply.body, headers=tuple((key, value) for key, value in headers if value)
        )
    return _json(
        424,
        {
            "Message": f"Received {'client' if reply.status < 500 else 'server'} error ({reply.status}) from "
            f'{container} with message "{message_of(reply)}"',
            "OriginalStatusCode": reply.status,
            "OriginalMessage": message_of(reply),
            "LogStreamArn": "",
        },
        ("x-amzn-ErrorType", "ModelError"),
    )


def refused(error: ModelError) -> Answer:
    """The platform's refusal as InvokeEndpoint gives it: ValidationError, or for what is its own InternalFailure."""
    status = 400 if error.status < 500 else 500
    kind = "ValidationError" if status == 400 else "InternalFailure"
    return _json(status, {"Message": str(error)}, ("x-amzn-ErrorType", kind))


class Front(ThreadedServer):
    """Answers for one endpoint, named ``name``, with ``models``."""

    def __init__(self, address: tuple[str, int], models: ModelServer, name: str) -> None:
        """Raises OSError where the port is taken."""
        self.models = models
        self.endpoint_name = name
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75  # of an idle connection, in seconds
    error_content_type = "application/json"
    error_message_format = '{"message": "%(message)s"}\n'
    server: Front

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ping":
            self._answer(Answer(status=200 if self.server.models.healthy() else 503))
        elif path == "/models":
            states = [{"modelName": one.name, "loaded": one.loaded} for one in self.server.models.models()]
            self._answer(_json(200, {"models": states}))
        else:
            self._answer(self._nothing_here())

    def do_POST(self) -> None:
        with self.server.request_under_way():
            body = self._read_body()
            self._answer(self._post(body) if isinstance(body, bytes) else body)

    def _post(self, body: bytes) -> Answer:
        invocation = Invocation(
            body=body,
            content_type=self._header("Content-Type"),
            accept=self._header("Accept"),
            custom_attributes=self._header(CUSTOM_ATTRIBUTES),
            target_model=as_utf8(self._header(TARGET_MODEL)),
        )
        match urlsplit(self.path).path.split("/")[1:]:
            case ["invocations"]:
                return invoke(self.server.models, invocation)
            case ["endpoints", name, "invocations"]:
                if unquote(name) == self.server.endpoint_name:
                    return invoke_endpoint(self.server.models, invocation)
                here = self.server.endpoint_name
                return refused(ModelError(400, f"Endpoint {unquote(name)} not found; the one here is {here}"))
        return self._nothing_here()

    def _nothing_here(self) -> Answer:
        here = f"POST /invocations, POST /endpoints/{self.server.endpoint_name}/invocations, GET /ping, GET /models"
        return _json(
            404, {"message": f"no {self.command} {urlsplit(self.path).path!r} here; there are {here}"}
        )

    def _read_body(self) -> bytes | Answer:
        """The body, or the answer to a request that has none that can be taken."""
        text = self._header("Content-Length") or "0"
        if "Transfer-Encoding" in self.headers or not text.isdecimal():
            self.close_connection = True
            return _json(411, {"message": "send the body with its Content-Length, not in chunks"})
        length = int(text)
        if length <= MAX_BODY:
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError("the client went away before its request was whole")
            return body
        self.close_connection = True
        left = min(length, MAX_BODY * _PATIENCE)
        while left and (chunk := self.rfile.read(min(left, 1 << 20))):
            left -= len(chunk)
        return _json(413, {"message": f"the body has {length} bytes; at most {MAX_BODY} are taken"})

    def _header(self, name: str) -> str:
        return str(self.headers.get(name, ""))

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def version_string(self) -> str:
        return "trainyard"

    def log_message(self, format: str, *args: Any) -> None:
        """The container has the log that matters."""


def as_utf8(header: str) -> str:
    """HTTP gives headers as Latin-1; a name that is not ASCII was meant as UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except ValueError:
        return header
