"""The serving container without Docker: a target's ``serve`` in a sandbox, on a loopback port of its own."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from trainyard.execution.launchers.process import HostProcess, Sandboxes
from trainyard.execution.request import StagedHost
from trainyard.execution.targets import Target
from trainyard.in_image.opt_ml import OptMl

_GRACE_SECONDS = 30.0  # AWS: "How containers provide signals", from SIGTERM to SIGKILL

_HIGHEST_PORT = 32_766  # of multi-model-server, which has room for 15 bits


class ServingProcess:
    """Implements ``hosting.Container``; ``folder`` holds its ``/opt/ml`` (in ``ml``) and its log."""

    def __init__(
        self, sandboxes: Sandboxes, target: Target, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._sandboxes = sandboxes
        self._target = target
        self._host = StagedHost(
            name="algo-1", folder=folder / "algo-1", ml=folder / "algo-1" / "ml", mounts=()
        )
        self._environment = dict(environment)
        self._port = _free_port()
        self._process: HostProcess | None = None

    @property
    def ml(self) -> OptMl:
        return OptMl(self._host.ml)

    @property
    def log(self) -> Path:
        return self._host.log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        for folder in (self.ml.model, self.ml.models, self.ml.code):
            folder.mkdir(parents=True, exist_ok=True)
        command = (
            ("python3", "-m", "trainyard.in_image.serve") if self._target.kind == "family" else ("serve",)
        )
        address = {"SAGEMAKER_BIND_TO_PORT": str(self._port), "SAGEMAKER_BIND_ADDRESS": "127.0.0.1"}
        self._process = self._sandboxes.start(
            self._target, self._host, command, {**address, **self._environment}, ("algo-1",)
        )

    def ended(self) -> str:
        """The exit code and the last line of the log, once the process has ended."""
        if self._process is None or self._process.process.poll() is None:
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["no output"]
        return f"exit code {self._process.reap()}: {lines[-1]}"

    def stop(self) -> None:
        if self._process is None or self._process.exit_code is not None:
            return
        self._process.terminate()
        try:
            self._process.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.reap()


def _free_port() -> int:
    """Not from the range that the kernel would choose from, of which multi-model-server takes no port."""
    while True:
        port = random.randint(10_000, _HIGHEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
