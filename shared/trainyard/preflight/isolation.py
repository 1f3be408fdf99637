"""Containers with nothing that they can do without: no way out, nothing to write to, no rights, no root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainyard.execution.launchers.containers import RunningContainer
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine

SOMEBODY = 61234
"""The user that a container works as where root checks an image; others can only be themselves."""

OPTIONS = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # the launcher adds no-new-privileges


def user() -> tuple[str, ...]:
    """An option, which comes behind the launcher's own and so takes its place."""
    return ("--user", f"{SOMEBODY}:{SOMEBODY}") if os.getuid() == 0 else ()


def give_away(folder: Path) -> None:
    """Let the container's user write to a folder; the files that are hard links stay whose they are."""
    if os.getuid() != 0:
        return
    for place, folders, _ in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in folders)):
            shutil.chown(path, SOMEBODY, SOMEBODY)


class IsolatedLauncher(DockerLauncher):
    """Launcher for docker targets whose hosts have no network at all."""

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        for host in hosts:
            give_away(host.ml)
            for mount in host.mounts:
                if not mount.read_only:
                    give_away(mount.source)
        return super().__call__(request, hosts, stop, tick)

    def _network(self, engine: Engine, request: JobRequest, labels: Sequence[str]) -> str:
        return "none"

    def _connect(self, host: StagedHost, network: str) -> Sequence[str]:
        # the toolkit waits until its host has an address
        return ("--network", network, "--add-host", f"{host.name}:127.0.0.1", *OPTIONS, *user())


class IsolatedServing(ServingContainer):
    """Reached through a network of its own that leads nowhere else, at the ``port`` that it listens on."""

    def __init__(
        self,
        engine: Engine,
        home: Path,
        target: Target,
        folder: Path,
        environment: Mapping[str, str],
        port: int,
    ) -> None:
        super().__init__(engine, home, target, folder, environment)
        self._port = port

    def _options(self, labels: Sequence[str]) -> Sequence[str]:
        network = f"trainyard-{self._folder.name}"
        self._engine.run("network", "create", "--internal", *labels, network)
        return ("--network", network, *OPTIONS, *user())

    def _reached_at(self, running: RunningContainer) -> str:
        return f"{running.network_address()}:{self._port}"
