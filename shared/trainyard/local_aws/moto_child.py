"""The services that moto answers for - STS, IAM, ECR, Events, SQS, SNS, ... -, in a process of their own.

moto keeps what it is told in memory: what configures it is kept in a journal, and told again to the next process.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from trainyard.errors import UserError
from trainyard.execution.request import REGION
from trainyard.local_aws.journal import Journal
from trainyard.local_aws.messages import AwsError, Request, Response

_START_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_PAUSE = 0.5  # seconds before it is started again
_DROPPED = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"}


class Moto:
    """A Service. ``start`` returns at once; requests wait until the process answers and knows what was before."""

    def __init__(self, database: Path, log: Path) -> None:
        self._journal = Journal(database)
        self._log = log
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="moto", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._process is not None:
            self._process.kill()  # it holds nothing that is not in the journal
        self._thread.join(10)

    def __call__(self, request: Request) -> Response:
        body = request.body()
        response = self._forward(request, body)
        if response.status < 300:
            try:
                self._journal.take(request, body)
            except UserError as error:
                return _refused(
                    request, "ServiceUnavailable", f"done, but until a restart only: {error}", 507
                )
        return response

    def call_json(self, service: str, target: str, content: Any) -> Any:
        """Ask a JSON service ourselves: ``call_json("events", "AWSEvents.ListRules", {})``; raises AwsError."""
        return json.loads(
            self._ask(service, json.dumps(content).encode(), "application/x-amz-json-1.1", target)
        )

    def call_query(self, service: str, **parameters: str) -> None:
        """Ask a query service (SNS, SQS) ourselves; raises AwsError."""
        self._ask(service, urlencode(parameters).encode(), "application/x-www-form-urlencoded", "")

    def _ask(self, service: str, body: bytes, content_type: str, target: str) -> bytes:
        scope = f"trainyard/20260101/{REGION}/{service}/aws4_request"
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "content-type": content_type,
            "host": f"{service}.{REGION}.amazonaws.com",
            **({"x-amz-target": target} if target else {}),
        }
        request = Request(method="POST", path="/", headers=headers, stream=BytesIO(body), length=len(body))
        response = self._forward(request, body)
        content = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        if response.status >= 300:
            raise AwsError(
                "ServiceException", f"{service} {target}: {content[:500].decode(errors='replace')}"
            )
        return content

    def _forward(self, request: Request, body: bytes) -> Response:
        if not self._ready.wait(_START_SECONDS):
            raise AwsError("ServiceUnavailable", f"moto does not answer; its log is {self._log}", 503)
        return self._send(request, body)

    def _send(self, request: Request, body: bytes) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
        headers = {name: value for name, value in request.headers.items() if name not in _DROPPED}
        try:
            place = f"{request.path}?{request.query}" if request.query else request.path
            connection.request(request.method, place, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AwsError(
                "ServiceUnavailable", f"moto does not answer: {error}; its log is {self._log}", 503
            ) from error
        finally:
            connection.close()
        if answer.status == 500 and content[:1] == b"<" and b"Internal Server Error" in content:
            reason = "not supported by the local endpoint: moto, which answers for this service, failed"
            return _refused(request, "UnsupportedOperation", f"{reason}; see {self._log}", 501)
        kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _DROPPED)
        return Response(status=answer.status, body=content, headers=kept)

    def _run(self) -> None:
        """Keep a process running; the thread stays, because the kernel ends the process with its parent thread."""
        while not self._closed.is_set():
            try:
                self._live()
            except (OSError, UserError) as error:  # a full disk, no process left: later there may be room
                print(f"moto cannot be started: {error}", file=sys.stderr, flush=True)
            self._ready.clear()
            self._closed.wait(_PAUSE)

    def _live(self) -> None:
        """One process, from its start to its end."""
        self._port = _free_port()
        with self._log.open("ab") as log:
            self._process = process = self._spawn(log)
        try:
            if self._closed.is_set():
                process.kill()
            if self._wait_for_it(process):
                self._ready.set()
            process.wait()
        finally:
            process.kill()
            process.wait()

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "trainyard.local_aws.moto_main", str(self._port), str(os.getpid())]
        environment = {
            **os.environ,
            "MOTO_ACCOUNT_ID": "0" * 12,
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # AmazonSageMakerFullAccess and the like
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def _wait_for_it(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it has come up and been told what was before. Raises as the journal does."""
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                for request in self._journal.requests():
                    with contextlib.suppress(AwsError):
                        self._send(request, request.body())
                return True
            time.sleep(0.05)
        return False


def _refused(request: Request, code: str, message: str, status: int) -> Response:
    """An error in the form that the client reads: XML of a query service, otherwise JSON."""
    if "x-amz-target" in request.headers:
        raise AwsError(code, message, status)
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
    return Response(status=status, body=body.encode(), headers=(("Content-Type", "text/xml"),))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
