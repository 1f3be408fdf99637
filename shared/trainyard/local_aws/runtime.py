"""SageMaker Runtime: InvokeEndpoint, whole or as an event stream.

Sources: AWS API reference, "InvokeEndpoint", "InvokeEndpointWithResponseStream"; Amazon Transcribe Developer Guide,
"Event stream encoding".
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from urllib.parse import unquote

from trainyard.execution.container import CUSTOM_ATTRIBUTES, Invocation, Reply
from trainyard.execution.fleet import Asked
from trainyard.execution.front import MAX_BODY, Answer, answered, as_utf8, refused
from trainyard.execution.hosting import TARGET_MODEL
from trainyard.execution.hosts import Hosts
from trainyard.execution.model_data import ModelError
from trainyard.local_aws.messages import Request, Response

_PREFIX = "x-amzn-sagemaker-"
_REFUSED = {
    "inference-component": "inference components are not supported by the local endpoint; leave the name out",
    "session-id": "stateful sessions are not supported by the local endpoint; leave SessionId out",
    "enable-explanations": "explanations are not supported by the local endpoint; leave EnableExplanations out",
}
_PART = 1 << 16  # bytes of an event's payload


class Runtime:
    """A Service: what is asked of endpoints under ``/endpoints/<name>/`` goes to ``hosts``."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def __call__(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except ModelError as error:
            return _response(refused(error))

    def _answer(self, request: Request) -> Response:
        _, folder, name, operation = (*request.path.split("/"), "", "", "")[:4]
        if folder != "endpoints" or request.method != "POST":
            raise ModelError(400, f"{request.method} {request.path} is no operation of SageMaker Runtime")
        for header, reason in _REFUSED.items():
            if request.headers.get(_PREFIX + header):
                raise ModelError(400, reason)
        if request.length > MAX_BODY:
            raise ModelError(400, f"the body has {request.length} bytes; at most {MAX_BODY} are taken")
        name, asked = unquote(name), _asked(request)
        match operation:
            case "invocations":
                answer = self._hosts.invoke(name, _invocation(request, "accept"), asked)
                return _response(answered(answer.reply, answer.variant, answer.container))
            case "invocations-response-stream":
                return self._stream(name, _invocation(request, f"{_PREFIX}accept"), asked)
            case "async-invocations":
                raise ModelError(
                    400, "InvokeEndpointAsync is not supported by the local endpoint; use InvokeEndpoint"
                )
        raise ModelError(400, f"{operation!r} is no operation of SageMaker Runtime")

    def _stream(self, name: str, invocation: Invocation, asked: Asked) -> Response:
        with ExitStack() as opened:
            streamed, variant, container = opened.enter_context(self._hosts.stream(name, invocation, asked))
            if streamed.status >= 400:
                reply = Reply(
                    status=streamed.status, body=b"".join(streamed.parts), content_type=streamed.content_type
                )
                return _response(answered(reply, variant, container))
            until_sent = opened.pop_all()
        headers = [
            ("Content-Type", "application/vnd.amazon.eventstream"),
            ("X-Amzn-SageMaker-Content-Type", streamed.content_type),
            ("x-Amzn-Invoked-Production-Variant", variant),
            (CUSTOM_ATTRIBUTES, streamed.custom_attributes),
        ]
        return Response(
            status=200,
            body=_Events(streamed.parts, until_sent),
            headers=tuple((key, value) for key, value in headers if value),
        )


class _Events:
    """The frames of an answer's parts; the server calls ``close``, also when its client is gone."""

    def __init__(self, parts: Iterator[bytes], until_sent: ExitStack) -> None:
        self._frames, self._until_sent = _frames(parts), until_sent

    def __iter__(self) -> Iterator[bytes]:
        return self._frames

    def close(self) -> None:
        self._frames.close()
        self._until_sent.close()


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of an event stream: lengths, headers of text, payload, and checksums over what is before them."""
    encoded = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in headers.items()
    )
    prelude = struct.pack("!II", len(encoded) + len(payload) + 16, len(encoded))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _frames(parts: Iterator[bytes]) -> Generator[bytes, None, None]:
    part = {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    try:
        for content in parts:
            for start in range(0, len(content), _PART):
                yield frame(part, content[start : start + _PART])
    except ModelError as error:
        headers = {
            ":exception-type": "ModelStreamError",
            ":content-type": "application/json",
            ":message-type": "exception",
        }
        code = "ModelInvocationTimeExceeded" if error.status == 504 else "StreamBroken"
        yield frame(headers, json.dumps({"Message": str(error), "ErrorCode": code}).encode())


def _invocation(request: Request, accept: str) -> Invocation:
    return Invocation(
        body=request.body(),
        content_type=request.headers.get("content-type", ""),
        accept=request.headers.get(accept, ""),
        custom_attributes=request.headers.get(CUSTOM_ATTRIBUTES.lower(), ""),
        target_model=as_utf8(request.headers.get(TARGET_MODEL.lower(), "")),
    )


def _asked(request: Request) -> Asked:
    return Asked(
        variant=request.headers.get(f"{_PREFIX}target-variant", ""),
        container=request.headers.get(f"{_PREFIX}target-container-hostname", ""),
        inference_id=request.headers.get(f"{_PREFIX}inference-id", ""),
    )


def _response(answer: Answer) -> Response:
    return Response(status=answer.status, body=answer.body, headers=answer.headers)
