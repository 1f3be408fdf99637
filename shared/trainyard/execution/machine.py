"""What runs jobs here: the store, the launcher, and what stands for images."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainyard.execution import events, jobs
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import JobRequest, Launcher, StopSignal
from trainyard.execution.store import Store
from trainyard.execution.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Machine:
    """``endpoint_url`` is where the local AWS endpoint answers, for jobs that use boto3; empty where there is none."""

    store: Store
    launcher: Launcher
    targets: Targets
    endpoint_url: str = ""

    def run(self, step: str, request: JobRequest, stop: StopSignal, watch: events.Watcher) -> JobOutcome:
        """Run a job to its end; raises as ``jobs.run_job`` does."""
        request = replace(request, endpoint_url=self.endpoint_url)
        return jobs.run_job(self.store, self.launcher, step, request, stop, watch)
