"""The launcher without Docker: jobs as processes of a virtual environment, each host in a sandbox of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainyard.execution.environments import Environments
from trainyard.execution.launchers.process import Sandboxes
from trainyard.execution.launchers.serving import ServingProcess
from trainyard.execution.launchers.supervise import supervise
from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.execution.targets import Target
from trainyard.families import Family


class VenvLauncher:
    """Launcher for families (an environment made from their lock) and for ``venv:PATH`` targets."""

    def __init__(
        self, environments: Environments, families: Mapping[str, Family], *, isolate: bool = True
    ) -> None:
        self._sandboxes = Sandboxes(environments, families, isolate=isolate)

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        environment = {**request.platform_environment, **request.environment}
        running = [
            self._sandboxes.start(request.target, host, _command(request), environment, request.hosts)
            for host in hosts
        ]
        return supervise(request, running, stop, tick)

    def serving(self, target: Target, folder: Path, environment: Mapping[str, str]) -> ServingProcess:
        """What will serve a model."""
        return ServingProcess(self._sandboxes, target, folder, environment)


def _command(request: JobRequest) -> tuple[str, ...]:
    if request.command:
        return request.command
    return ("python3", "-m", "trainyard.in_image.train") if request.target.kind == "family" else ("train",)
