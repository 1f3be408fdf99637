"""One launcher for all targets: each job goes to the launcher of its target's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainyard.execution.container import Serving, serve_with
from trainyard.execution.request import Ended, JobRequest, Launcher, StagedHost, StopSignal
from trainyard.execution.targets import Target


class ByTarget:
    def __init__(self, launchers: Mapping[str, Launcher]) -> None:
        self._launchers = launchers

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        return self._launchers[request.target.kind](request, hosts, stop, tick)

    def serving(self, target: Target, folder: Path, environment: Mapping[str, str]) -> Serving:
        return serve_with(self._launchers[target.kind], target, folder, environment)
