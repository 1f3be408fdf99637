"""What runs jobs and serves models here: the store, the launcher, and what stands for images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainyard.execution import events, jobs
from trainyard.execution.container import Serving, serve_with
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import JobRequest, Launcher, StopSignal, client_environment
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets

if TYPE_CHECKING:
    from trainyard.execution.hosts import Hosts


@dataclass(frozen=True, kw_only=True)
class Machine:
    """``endpoint_url`` is where the local AWS endpoint answers, for jobs that use boto3; empty where there is none.

    ``hosts`` serves the endpoints that are deployed here; without it, none outlives the step that deploys it.
    """

    store: Store
    launcher: Launcher
    targets: Targets
    endpoint_url: str = ""
    hosts: Hosts | None = None

    def run(self, step: str, request: JobRequest, stop: StopSignal, watch: events.Watcher) -> JobOutcome:
        """Run a job to its end; raises as ``jobs.run_job`` does."""
        request = replace(request, endpoint_url=self.endpoint_url)
        return jobs.run_job(self.store, self.launcher, step, request, stop, watch)

    def serving(self, target: Target, folder: Path, environment: Mapping[str, str]) -> Serving:
        """A container that will serve a model, its files in ``folder``. Raises UserError where there can be none."""
        of_client = client_environment(self.endpoint_url) if self.endpoint_url else {}
        return serve_with(self.launcher, target, folder, {**of_client, **environment})
