"""Jobs as the API asks for them: a Create request, checked at once, run later, recorded while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from trainyard.definition.runnable import check_arguments
from trainyard.execution import events
from trainyard.execution.machine import Machine
from trainyard.execution.recording import Recording
from trainyard.execution.resources import Document
from trainyard.execution.steps import JOB_KINDS
from trainyard.execution.steps.job_step import plan
from trainyard.execution.steps.transform import TransformWork
from trainyard.execution.steps.tuning import TuningWork

Prepared = Callable[[Recording, events.Watcher], Document]
"""Runs the job to its end, which ``recording.stop`` may bring; the answer is what Describe says of it then."""


class Work(Protocol):
    """A kind of job that the API can start."""

    # as in ARNs, for example training-job
    @property
    def kind(self) -> str: ...

    # check a Create request; nothing has happened when this raises UserError
    def prepare(self, machine: Machine, name: str, arguments: Mapping[str, Any]) -> Prepared: ...


@dataclass(frozen=True)
class OneJob:
    """Training and Processing: work that is one job of a launcher."""

    type: str

    @property
    def kind(self) -> str:
        return f"{self.type.lower()}-job"

    def prepare(self, machine: Machine, name: str, arguments: Mapping[str, Any]) -> Prepared:
        job_kind = JOB_KINDS[self.type]
        check_arguments(name, arguments, job_kind.RULES)
        request = plan(job_kind, self.type, name, arguments, name, machine.targets)

        def run(recording: Recording, watch: events.Watcher) -> Document:
            machine.targets.prepare([request.target])
            outcome = machine.run(name, request, recording.stop, watch)
            return job_kind.describe(arguments, outcome)

        return run


WORK: dict[str, Work] = {
    "HyperParameterTuning": TuningWork(),
    "Processing": OneJob("Processing"),
    "Training": OneJob("Training"),
    "Transform": TransformWork(),
}
