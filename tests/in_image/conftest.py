"""An ``/opt/ml`` of one's own and ``serve`` as a process of the family's environment."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


class Server:
    """``python -m trainyard.in_image.serve`` on a free port of loopback, with ``base`` as its /opt/ml."""

    def __init__(self, python: Path, base: Path, environment: dict[str, str]) -> None:
        self.base = base
        self.log = base / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(python), "-m", "trainyard.in_image.serve"],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(SHARED),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "SAGEMAKER_BASE_DIR": str(base),
                    "SAGEMAKER_BIND_ADDRESS": "127.0.0.1",
                    "SAGEMAKER_BIND_TO_PORT": "0",
                    **environment,
                },
                stdout=log,
                stderr=log,
            )
        self.port = 0

    def wait(self) -> Server:
        """Until it listens."""
        while not (found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        self.port = int(found[1])
        return self

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body, {key.replace("_", "-"): text for key, text in headers.items()})
        response = connection.getresponse()
        answer = (response.status, response.read(), response.headers)
        connection.close()
        return answer

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def start_server(
    family_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Start a server: ``start_server(handler, folders, VARIABLE=...)``; stopped when the module's tests end.

    ``handler`` is the text of inference.py (None: there is none), ``folders`` maps folders below /opt/ml
    to the text of the model.json in them.
    """
    servers: list[Server] = []

    def start(handler: str | None, folders: dict[str, str] | None = None, **environment: str) -> Server:
        base = tmp_path_factory.mktemp("ml")
        for folder in ("code", "model", "models"):
            (base / folder).mkdir()
        if handler is not None:
            (base / "code" / "inference.py").write_text(handler)
        for folder, text in (folders or {}).items():
            (base / folder).mkdir(parents=True, exist_ok=True)
            (base / folder / "model.json").write_text(text)
        servers.append(Server(family_python, base, environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
