"""The serving container with Docker: an image's ``serve``, its port 8080 published on loopback."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from trainyard.errors import DockerError
from trainyard.execution.launchers import containers
from trainyard.execution.launchers.containers import RunningContainer
from trainyard.execution.launchers.forwarding import reachable
from trainyard.execution.request import Mount
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine
from trainyard.in_image.opt_ml import OptMl

_PORT = 8080
_NETWORK = "bridge"  # where containers are that join no other
_GRACE_SECONDS = 30.0  # AWS: "How containers provide signals", from SIGTERM to SIGKILL


class ServingContainer:
    """Implements ``container.Container``; ``folder`` holds its ``/opt/ml`` (in ``ml``) and its log.

    ``home`` is the folder of the store that it serves from.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        target: Target,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._engine, self._home = engine, home
        self._target, self._folder = target, folder
        self._environment = dict(environment)
        self._owned = ExitStack()
        self._running: RunningContainer | None = None
        self._address = "127.0.0.1:0"  # where nobody ever answers
        self._ending = threading.Lock()  # threads may ask at once whether it has ended

    @property
    def ml(self) -> OptMl:
        return OptMl(self._folder / "algo-1" / "ml")

    @property
    def log(self) -> Path:
        return self._folder / "algo-1.log"

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    def start(self) -> None:
        """Raises DockerError."""
        for folder in (self.ml.model, self.ml.models):
            folder.mkdir(parents=True, exist_ok=True)
        places = {OptMl().model: self.ml.model, OptMl().models: self.ml.models}
        labels = self._owned.enter_context(containers.owning(self._engine, self._home, self._folder))
        environment = self._owned.enter_context(reachable(self._engine, _NETWORK, self._environment))
        container = containers.create(
            self._engine,
            self._target.name,
            ["serve"],
            options=[*labels, *self._options(labels)],
            # as on the platform, a model cannot change itself
            mounts=[
                Mount(source=source, container_path=place.as_posix(), read_only=True)
                for place, source in places.items()
            ],
            environment=environment,
            scratch=self._folder,
        )
        self._running = RunningContainer(self._engine, container, self.log)
        try:
            self._address = self._reached_at(self._running)
        except DockerError:
            if not self._running.wait(1):  # one that has ended has no address, and `ended` tells why
                raise

    def _options(self, labels: Sequence[str]) -> Sequence[str]:
        """How it can be reached, for ``docker create``; ``labels`` are for what is made for that."""
        return ("--publish", f"127.0.0.1::{_PORT}")

    def _reached_at(self, running: RunningContainer) -> str:
        return running.address(_PORT)

    def ended(self) -> str:
        """The exit code and the last line of the log, once the container has ended."""
        if self._running is None or not self._running.wait():
            return ""
        with self._ending:
            code = self._running.reap()
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["no output"]
        return f"exit code {code}: {lines[-1]}"

    def stop(self) -> None:
        try:
            if self._running is not None:
                self._running.terminate()
                if not self._running.wait(_GRACE_SECONDS):
                    self._running.kill()
                with self._ending:
                    self._running.reap()
        finally:
            self._owned.close()
