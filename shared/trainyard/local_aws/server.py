"""HTTP/1.1 on loopback for the services: a thread per connection, bodies streamed both ways."""

from __future__ import annotations

import io
import json
import secrets
import traceback
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO, cast
from urllib.parse import SplitResult, urlsplit

from trainyard.errors import EndpointError, UserError
from trainyard.execution.threaded_server import ThreadedServer
from trainyard.local_aws.chunked import Chunked
from trainyard.local_aws.messages import AwsError, Request, Response, Service, as_aws

_IDLE = 75  # seconds for which a connection may be silent
_DRAINED = 64 * 2**20  # bytes of a body nobody wanted that are read, so that its sender sees the answer
_STEP = 1 << 18
_HEAD = 1 << 16  # bytes of a request's line and headers
_BODILESS = (204, 304)


class Server(ThreadedServer):
    """Answers with ``service`` on 127.0.0.1 between ``serve_forever`` and ``shutdown``; port 0 takes a free one."""

    def __init__(self, port: int, service: Service) -> None:
        """Raises EndpointError where the port is taken."""
        self.service = service
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise EndpointError(
                f"port {port} of 127.0.0.1 cannot be used: {error.strerror}; choose one with --port, 0 is any"
            ) from error

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Sized(io.RawIOBase):
    """The next ``length`` bytes of a connection."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source, self._left = source, length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        content = self._source.read(wanted)
        if len(content) < wanted:
            raise ConnectionError("the client went away before its request was whole")
        buffer[:wanted] = content
        self._left -= wanted
        return wanted


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    wbufsize = 1 << 16  # headers and a small body in one packet
    disable_nagle_algorithm = True
    error_content_type = "application/json"
    error_message_format = '{"__type": "BadRequest", "message": "not a request in HTTP/1.1 (%(code)d)"}\n'
    server: Server

    def handle_expect_100(self) -> bool:
        granted = super().handle_expect_100()
        self.wfile.flush()  # the client waits for it
        return granted

    def _serve(self) -> None:
        with self.server.request_under_way():
            self._exchange()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve

    def _exchange(self) -> None:
        try:
            target = self._target()
            stream, length = self._body()
        except AwsError as error:
            self.close_connection = True
            self._send(error_response(error))
            return
        request = Request(
            method=self.command,
            path=target.path or "/",
            query=target.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            stream=cast(BinaryIO, stream),
            length=length,
        )
        self._send(self._answer(request))
        self._drain(stream)

    def _answer(self, request: Request) -> Response:
        try:
            return self.server.service(request)
        except UserError as error:
            return error_response(as_aws(error))
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            traceback.print_exc()
            reason = "the local endpoint has a bug; its log shows where"
            return error_response(AwsError("InternalFailure", reason, 500))

    def _target(self) -> SplitResult:
        """What is asked for. Raises AwsError for a head that makes no sense, or is longer than rclone takes."""
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
        if sum(len(line) + 2 for line in lines) > _HEAD:
            raise AwsError("RequestHeaderSectionTooLarge", f"the headers are longer than {_HEAD} bytes", 431)
        # a multipart body that is not there yet is a defect, too
        if any("Header" in type(defect).__name__ for defect in self.headers.defects):
            raise AwsError("BadRequest", "a line of the headers is not NAME: VALUE")
        try:
            return urlsplit(f"//x{self.path}" if self.path.startswith("/") else self.path)
        except ValueError as error:
            raise AwsError("BadRequest", f"{self.path[:100]!r} is no address: {error}") from error

    def _body(self) -> tuple[io.BufferedReader, int]:
        """A stream of the body, and its length or -1. Raises AwsError where the headers make no sense."""
        encodings, lengths = (
            list({value.strip().lower() for value in self.headers.get_all(name, ())})
            for name in ("Transfer-Encoding", "Content-Length")
        )
        if len(encodings + lengths) > 1 or encodings not in ([], ["chunked"]):
            raise AwsError("BadRequest", "a body is sent in chunks, or with its Content-Length")
        if encodings:
            return io.BufferedReader(Chunked(cast(BinaryIO, self.rfile))), -1
        text = (lengths or ["0"])[0]
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise AwsError("BadRequest", f"Content-Length is {text[:40]!r}, not a number of bytes")
        return io.BufferedReader(_Sized(cast(BinaryIO, self.rfile), int(text))), int(text)

    def _drain(self, stream: io.BufferedReader) -> None:
        """Read what is left of the body: the next request follows it."""
        left = _DRAINED
        try:
            while left > 0 and (content := stream.read(_STEP)):
                left -= len(content)
        except (AwsError, ConnectionError):
            left = 0
        if left <= 0:
            self.close_connection = True

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        names = {name.lower() for name, _ in response.headers}
        if not names & {"x-amzn-requestid", "x-amz-request-id"}:
            self.send_header("x-amzn-RequestId", secrets.token_hex(16))
        body = response.body
        empty = self.command == "HEAD" or response.status in _BODILESS
        chunked = not isinstance(body, bytes) and "content-length" not in names and not empty
        if isinstance(body, bytes) and "content-length" not in names and response.status not in _BODILESS:
            self.send_header("Content-Length", str(len(body)))
        if chunked and self.request_version == "HTTP/1.0":
            self.close_connection, chunked = True, False
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            if not empty:
                self._write([body] if isinstance(body, bytes) else body, response, chunked=chunked)
        finally:
            if hasattr(body, "close"):
                body.close()
        self.wfile.flush()

    def _write(self, parts: Iterable[bytes], response: Response, *, chunked: bool) -> None:
        written = 0
        try:
            for part in parts:
                if part:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                    self.wfile.flush()
                    written += len(part)
        except ConnectionError:
            raise
        except Exception as error:  # too late for an answer: the client shall see that this one is not whole
            traceback.print_exc()
            raise ConnectionError("an answer ended too early") from error
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        promised = {name.lower(): value for name, value in response.headers}.get("content-length")
        if promised is not None and written != int(promised):
            self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError):  # the client did not wait for the end
            super().finish()

    def version_string(self) -> str:
        return "trainyard"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: CloudWatch's logs are those of jobs."""


def error_response(error: AwsError) -> Response:
    """An error for clients of which nothing is known but that they speak HTTP."""
    body = json.dumps({"__type": error.code, "message": str(error)}).encode() + b"\n"
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code))
    return Response(status=error.status, body=body, headers=headers)
