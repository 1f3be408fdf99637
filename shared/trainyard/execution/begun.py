"""An execution that is recorded, and is run to its end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from trainyard.errors import UserError
from trainyard.execution import events
from trainyard.execution.planning import Planned
from trainyard.execution.run import Run
from trainyard.execution.schedule import run_steps, stopping_on_signals


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How an execution ended: Succeeded, Failed, Stopped or CompletedWithFailures."""

    execution: str
    status: str
    reason: str


class Begun:
    """An execution that is recorded as Executing; ``run`` runs it to its end, once."""

    def __init__(
        self, run: Run, names: tuple[str, ...], living: ExitStack, unprepared: Iterable[Planned]
    ) -> None:
        self.execution = run.execution_id
        self.stop = run.stop
        self._run, self._names = run, names
        self._living, self._unprepared = living, unprepared

    def resize(self, parallel: int) -> None:
        """Change MaxParallelExecutionSteps while it runs."""
        self._run.slots.resize(parallel)

    def run(self) -> Finished:
        with self._living:
            began = time.monotonic()
            try:
                prepare(self._run, self._unprepared)
            except UserError as error:
                return self._ended("Failed", str(error), time.monotonic() - began)
            run = self._run
            started = events.ExecutionStarted(
                execution=run.execution_id, pipeline=run.pipeline, steps=self._names
            )
            run.watch(started)
            with stopping_on_signals(run.stop, run.watch):
                status, reason = run_steps(run, self._names)
            return self._ended(status, reason, time.monotonic() - began)

    def _ended(self, status: str, reason: str, seconds: float) -> Finished:
        self._run.store.state.update_execution(
            self.execution, status=status, failure=reason or None, ended=time.time()
        )
        ended = events.ExecutionEnded(execution=self.execution, status=status, seconds=seconds, reason=reason)
        self._run.watch(ended)
        return Finished(execution=self.execution, status=status, reason=reason)


def prepare(run: Run, planned: Iterable[Planned]) -> None:
    """Make the environments and images of the planned jobs. Raises UserError."""
    run.targets.prepare(each.job.target for each in planned if each.job)
