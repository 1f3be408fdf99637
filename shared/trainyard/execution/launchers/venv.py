"""The launcher without Docker: jobs as processes of a virtual environment, each host in a sandbox of its own."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from trainyard.execution.environments import Environments
from trainyard.execution.launchers.process import HostProcess, Sandboxes
from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.families import Family

_LOOK_EVERY = 0.1
_NEVER = float("inf")


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
        deadline, kill_at = time.monotonic() + request.max_runtime, _NEVER
        stopped: Literal["", "Stopped", "MaxRuntimeExceeded"] = ""
        while any(job.exit_code is None for job in running):
            _wait(running)
            tick()
            now = time.monotonic()
            failed = any(job.exit_code for job in running)
            if kill_at == _NEVER and (stop.requested or failed or now > deadline):
                if not failed:
                    stopped = "Stopped" if stop.requested else "MaxRuntimeExceeded"
                kill_at = now + request.grace
                for job in running:
                    job.terminate()
            if now > kill_at or (stop.hurried and kill_at != _NEVER):
                for job in running:
                    job.kill()
        tick()
        return Ended(exit_codes=tuple(job.exit_code or 0 for job in running), stopped=stopped)


def _command(request: JobRequest) -> tuple[str, ...]:
    if request.command:
        return request.command
    return ("python3", "-m", "trainyard.in_image.train") if request.target.kind == "family" else ("train",)


def _wait(running: Sequence[HostProcess]) -> None:
    """Until a host ends, at most a moment."""
    open_jobs = {job.status: job for job in running if job.exit_code is None}
    ready, _, _ = select.select(list(open_jobs), [], [], _LOOK_EVERY)
    for status in ready:
        if not status.read(100):
            open_jobs[status].reap()
