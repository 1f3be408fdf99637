"""S3 by ``rclone serve s3`` over the store's folder: a child process, and the way to it and back.

Source: rclone.org/commands/rclone_serve_s3.
"""

from __future__ import annotations

import http.client
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, unquote_to_bytes
from xml.sax.saxutils import escape

from trainyard.errors import SetupError
from trainyard.execution.s3 import ObjectStore
from trainyard.local_aws import s3_differences
from trainyard.local_aws.chunked import Chunked
from trainyard.local_aws.messages import AwsError, Request, Response

_STEP = 1 << 18
# of one connection only, or about a body that is passed on decoded
_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "content-length",
}
_CHUNKED = {"x-amz-decoded-content-length", "x-amz-content-sha256", "x-amz-trailer", "content-encoding"}
_NOT_S3 = _HOP - {"content-length"} | {"server", "date"}
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

# Takes a listening socket to where systemd would have put it, and dies with the process that started it.
_BEGIN = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the local endpoint has gone")
os.dup2(int(sys.argv[2]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[3], sys.argv[3:])
"""
_FLAGS = (
    "--config=",
    "--dir-cache-time=1ms",  # what jobs write is seen at once; with 0, rclone's clean-up spins and blocks requests
    "--exclude=.trainyard-partial-*",
    "--max-header-bytes=65536",
    "--log-level=CRITICAL",  # an error is also every object that somebody asks for in vain
)
_ENVIRONMENT = {
    "HOME": "/nonexistent",  # nothing of the user's own rclone
    "GOGC": "50",
    "RCLONE_CONFIG_STORE_TYPE": "hasher",
    "RCLONE_CONFIG_STORE_HASHES": "md5",
    "RCLONE_CONFIG_STORE_MAX_AGE": "off",  # what has another size or time is read again
}
_ROOM = 1 << 20  # bytes with less of which a disk is full
_PAUSE = 0.5  # seconds before rclone is started again
_PATIENCE = 300  # seconds for which it may be silent: it may have to copy what is large


class S3:
    """A Service over a folder of buckets. Rclone is started again when it ends, and dies with this process."""

    def __init__(self, root: Path) -> None:
        """Raises SetupError where rclone is not installed."""
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._address: tuple[str, int] = self._listening.getsockname()
        self._root = root
        # the checksum of an object is its ETag in each answer and listing: hasher reads an object for it only once
        self._command = [
            rclone(),
            "serve",
            "s3",
            "store:",
            f"--cache-dir={root.with_name('s3-digests')}",
            *_FLAGS,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        # the kernel ends rclone when the thread that started it ends, so it is one that does not
        self._keeper = threading.Thread(target=self._keep, name="s3", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        self._closed.set()
        if self._process:
            self._process.terminate()
        self._keeper.join(5)
        self._listening.close()

    def __call__(self, request: Request) -> Response:
        try:
            return self._forward(request)
        except AwsError as error:
            return _error(error)

    def _keep(self) -> None:
        descriptor = self._listening.fileno()
        begin = [sys.executable, "-I", "-S", "-c", _BEGIN, str(os.getpid()), str(descriptor)]
        while not self._closed.is_set():
            ObjectStore(self._root).sweep()
            try:
                self._process = subprocess.Popen(
                    [*begin, *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[descriptor],
                    env={**_ENVIRONMENT, "RCLONE_CONFIG_STORE_REMOTE": str(self._root)},
                    start_new_session=True,
                )
            except OSError as error:  # no process or memory is left for it now
                print(f"the local S3 cannot be started: {error}", file=sys.stderr, flush=True)
            else:
                if self._closed.is_set():
                    self._process.terminate()
                self._process.wait()
            self._closed.wait(_PAUSE)

    def _forward(self, request: Request) -> Response:
        if any(byte < 0x20 or byte == 0x7F for byte in unquote_to_bytes(request.path)):
            raise AwsError("InvalidArgument", "keys with control characters cannot be stored")  # by rclone
        s3_differences.check(request)
        content, headers, length = _payload(request)
        path = quote(request.path.encode("latin-1"), safe=_PRINTABLE)
        target = (
            f"{path}?{quote(request.query.encode('latin-1'), safe=_PRINTABLE)}" if request.query else path
        )
        connection = http.client.HTTPConnection(*self._address, timeout=_PATIENCE)
        try:
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if length or request.method in ("PUT", "POST"):
                connection.putheader("Content-Length", str(length))
            _send(connection, content, length)
            answer = connection.getresponse()
        except (http.client.HTTPException, OSError, AwsError) as error:
            connection.close()
            if isinstance(error, AwsError | _ClientGone):
                raise
            raise AwsError("ServiceUnavailable", f"the local S3 does not answer: {error}", 503) from error
        if answer.status == 500 and self._is_full(length):
            connection.close()
            where = f"no space left on the disk of {self._root}"
            raise AwsError(
                "InsufficientStorage", f"{where}; free some, or set TRAINYARD_HOME to a larger disk", 507
            )
        status, kept = _head(answer)
        if request.method != "HEAD" and status < 400:
            return Response(status=status, headers=kept, body=_content(connection, answer))
        code, body = s3_differences.with_message(b"".join(_content(connection, answer)))
        if s3_differences.is_own_bucket(request, code):
            return Response(status=200, headers=(("Location", request.path),))
        if body:
            kept = tuple(header for header in kept if header[0].lower() != "content-length")
        return Response(status=status, headers=kept, body=body)

    def _is_full(self, length: int) -> bool:
        return shutil.disk_usage(self._root).free < max(length, _ROOM)


class _ClientGone(ConnectionError):
    """The client, not rclone, ended its connection."""


def rclone() -> str:
    """The program, as the host's requirements install it beside Python."""
    found = shutil.which(
        "rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if found is None:
        raise SetupError("there is no rclone, the local S3; ./trainyard installs it into .venv")
    return found


def _payload(request: Request) -> tuple[BinaryIO, dict[str, str], int]:
    """The body as it is to be stored, the headers to send with it, and its length."""
    headers = {name: value for name, value in request.headers.items() if name not in _HOP}
    encodings = [part.strip() for part in headers.get("content-encoding", "").split(",")]
    signed = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    if "aws-chunked" not in encodings and not signed:
        if request.length >= 0:
            return request.stream, headers, request.length
        raise AwsError("MissingContentLength", "an object is sent with its Content-Length", 411)
    text = headers.get("x-amz-decoded-content-length", "")
    if not (text.isascii() and text.isdecimal()):
        raise AwsError("MissingContentLength", "aws-chunked needs x-amz-decoded-content-length", 411)
    headers = {name: value for name, value in headers.items() if name not in _CHUNKED}
    if kept := [part for part in encodings if part and part != "aws-chunked"]:
        headers["content-encoding"] = ",".join(kept)
    decoded = io.BufferedReader(Chunked(request.stream), _STEP)
    return cast(BinaryIO, decoded), headers, int(text)


def _send(connection: http.client.HTTPConnection, content: BinaryIO, length: int) -> None:
    """Raises _ClientGone, or AwsError for a body shorter than it says."""
    connection.endheaders()
    left = length
    while left:
        try:
            part = content.read(min(left, _STEP))
        except (ConnectionError, TimeoutError) as error:
            raise _ClientGone(str(error)) from error
        if not part:
            raise AwsError("IncompleteBody", "the body has fewer bytes than it says")
        left -= len(part)
        try:
            connection.send(part)
        except (BrokenPipeError, ConnectionResetError):
            return  # rclone has answered already, with an error that the client shall see


def _head(answer: http.client.HTTPResponse) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Status and headers as S3 has them; rclone answers 200 for a part of an object, with the whole one's checksum."""
    partial = answer.getheader("Content-Range") is not None
    found = []
    for name, value in answer.getheaders():
        low = name.lower()
        if low not in _NOT_S3 and not low.startswith(
            ("access-control-", "x-amz-checksum-" if partial else "-")
        ):
            found.append((low if low.startswith("x-amz-meta-") else name, value))
    return 206 if partial and answer.status == 200 else answer.status, tuple(found)


def _content(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while part := answer.read(_STEP):
            yield part
    finally:
        connection.close()


def _error(error: AwsError) -> Response:
    text = f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Response(status=error.status, body=body, headers=(("Content-Type", "application/xml"),))
