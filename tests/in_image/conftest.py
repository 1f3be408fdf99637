"""An ``/opt/ml`` of one's own and ``serve`` as a process of the family's environment."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from trainyard import families

SHARED = Path(__file__).parents[2] / "shared"
TINYMMS = Path(__file__).parents[1] / "fixtures" / "families" / "tinymms"


class Server:
    """``python -m trainyard.in_image.serve`` on a free port of loopback, with ``base`` as its /opt/ml."""

    def __init__(
        self, python: Path, base: Path, environment: dict[str, str], arguments: Sequence[str] = ()
    ) -> None:
        self.base = base
        self.log = base / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(python), "-m", "trainyard.in_image.serve", *arguments],
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


@pytest.fixture(scope="session")
def mms_python(environments) -> Path:
    """The interpreter of an environment with multi-model-server, for tests that need Java as well."""
    if not shutil.which("java"):
        pytest.skip("multi-model-server needs Java, and there is no java on PATH")
    given = os.environ.get("TRAINYARD_TEST_MMS_PYTHON")
    return Path(given) if given else environments.python(families.load(TINYMMS))


@pytest.fixture(scope="module")
def start_server(
    family_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Start a server: ``start_server(handler, folders, VARIABLE=...)``; stopped when the module's tests end.

    ``handler`` is the text of inference.py (None: there is none), ``folders`` maps folders below /opt/ml
    to the text of the model.json in them.
    """
    yield from _starter(family_python, tmp_path_factory)


@pytest.fixture(scope="module")
def start_mms(mms_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """``start_server`` for multi-model-server."""
    yield from _starter(mms_python, tmp_path_factory, TRAINYARD_SERVER="multi-model-server")


def _starter(
    python: Path, tmp_path_factory: pytest.TempPathFactory, **server: str
) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(
        handler: str | None,
        folders: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        **environment: str,
    ) -> Server:
        base = tmp_path_factory.mktemp("ml")
        for folder in ("code", "model", "models"):
            (base / folder).mkdir()
        if handler is not None:
            (base / "code" / "inference.py").write_text(handler)
        for folder, text in (folders or {}).items():
            (base / folder).mkdir(parents=True, exist_ok=True)
            (base / folder / "model.json").write_text(text)
        servers.append(Server(python, base, {**server, **environment}, arguments))
        return servers[-1]

    yield start
    for server_process in servers:
        server_process.stop()
