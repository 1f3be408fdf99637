"""One training job of a tuning job: launched, judged by what it reports, recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from trainyard.errors import UserError
from trainyard.execution import events
from trainyard.execution.machine import Machine
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import ARN, JobRequest, StopSignal
from trainyard.execution.resources import TAGS, UNDER_WAY, Document
from trainyard.execution.tuning.request import Definition
from trainyard.execution.tuning.search import Proposal

KIND = "training-job"
_SUMMARY = (
    "TrainingJobDefinitionName", "TrainingJobName", "TrainingJobArn", "TuningJobName", "CreationTime",
    "TrainingStartTime", "TrainingEndTime", "TrainingJobStatus", "TunedHyperParameters", "FailureReason",
    "FinalHyperParameterTuningJobObjectiveMetric", "ObjectiveStatus",
)  # fmt: skip


class Training(Protocol):
    """What makes a job of a CreateTrainingJob request; the Training steps' module is one."""

    # the job that resolved arguments ask for; raises Unsupported or DefinitionError
    def plan(self, name: str, arguments: Mapping[str, Any], job: str) -> JobRequest: ...

    # the answer of DescribeTrainingJob for the job when it has ended
    def describe(self, arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]: ...


class Trial:
    """``judge(trial)`` is asked after each value of the objective whether to stop the trial early."""

    def __init__(
        self,
        *,
        machine: Machine,
        training: Training,
        tuning: str,
        number: int,
        definition: Definition,
        proposal: Proposal,
        maximize: bool,
        stop: StopSignal,
    ) -> None:
        self.definition, self.proposal = definition, proposal
        self.name = f"{tuning}-{number:03d}-{secrets.token_hex(4)}"
        self.values: list[float] = []
        self.stored: dict[str, list[int]] = {}
        self._machine, self._training, self._number = machine, training, number
        self._type = "Maximize" if maximize else "Minimize"
        self._arguments = definition.training(proposal.values)
        self._members: dict[str, Any] = {
            "TuningJobName": tuning,
            "TuningJobArn": f"{ARN}:hyper-parameter-tuning-job/{tuning}",
            "TunedHyperParameters": dict(proposal.values),
            **({"TrainingJobDefinitionName": definition.name} if definition.name else {}),
        }
        self._request = training.plan(self.name, self._arguments, self.name)
        begun = {**self._arguments, **self._members, "ObjectiveStatus": "Pending"}
        self._recording = machine.store.recorder.begin(KIND, self.name, begun, stop)
        self._stopped_early = False
        resources = machine.store.resources
        self.document: Document = resources.get(KIND, self.name)
        # CreateHyperParameterTuningJob: tags of a tuning job "are also added to all training jobs" it launches
        if tags := resources.find(TAGS, self._members["TuningJobArn"]):
            resources.add(TAGS, self.document["TrainingJobArn"], tags)

    @property
    def ended(self) -> bool:
        return self.document["TrainingJobStatus"] not in UNDER_WAY

    @property
    def objective(self) -> float | None:
        """The last value of the objective metric once the trial has ended; None where there is none."""
        return objective(self.document)

    @property
    def counter(self) -> str:
        """Where ``TrainingJobStatusCounters`` counts the trial."""
        status = self.document["TrainingJobStatus"]
        if status == "Failed":
            internal = str(self.document.get("FailureReason", "")).startswith("InternalServerError")
            return "RetryableError" if internal else "NonRetryableError"
        return "InProgress" if status in UNDER_WAY else str(status)

    def run(self, step: str, judge: Callable[[Trial], bool], watch: events.Watcher) -> None:
        """Run the job to its end; an expected failure of it is its end, not an exception."""

        def see(event: events.Event) -> None:
            if isinstance(event, events.MetricSeen | events.LogLine):
                event = replace(event, host=f"{self._number:03d}/{event.host}")
            watch(event)
            if isinstance(event, events.MetricSeen) and event.name == self.definition.metric:
                self.values.append(event.value)
                if not self._stopped_early and judge(self):
                    self._stop_early()

        try:
            with self._recording as recording:
                outcome = self._machine.run(step, self._request, recording.stop, see)
                self.stored = outcome.stored
                recording.finish(self._judged(self._training.describe(self._arguments, outcome)))
        except UserError:  # the recording has it as the FailureReason
            self._machine.store.resources.update(KIND, self.name, ObjectiveStatus="Failed")
        self.document = self._machine.store.resources.get(KIND, self.name)

    def halt(self) -> None:
        """Stop the job; it has its grace."""
        self._recording.stop.request()

    def _stop_early(self) -> None:
        self._stopped_early = True
        self._recording.update(TrainingJobStatus="Stopping")
        self.halt()

    def _judged(self, described: Document) -> Document:
        """With what the tuning job adds; a failed job's metric is not taken into account."""
        found = [
            metric["Value"]
            for metric in described.get("FinalMetricDataList") or []
            if metric["MetricName"] == self.definition.metric
        ]
        if not found or described["TrainingJobStatus"] == "Failed":
            return {**described, **self._members, "ObjectiveStatus": "Failed"}
        metric = {"Type": self._type, "MetricName": self.definition.metric, "Value": found[0]}
        return {
            **described,
            **self._members,
            "ObjectiveStatus": "Succeeded",
            "FinalHyperParameterTuningJobObjectiveMetric": metric,
        }


def objective(document: Mapping[str, Any]) -> float | None:
    """The objective of a trial's document."""
    metric = document.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if metric is None else float(metric["Value"])


def summary(document: Mapping[str, Any]) -> Document:
    """HyperParameterTrainingJobSummary of a trial's document."""
    return {name: document[name] for name in _SUMMARY if name in document}


def ranked(documents: list[Document], maximize: bool) -> list[Document]:
    """Trials, the best first: completed ones, then stopped ones with an objective, then the rest as launched."""

    def place(document: Document) -> tuple[bool, bool, float]:
        value = objective(document)
        if value is None:
            return True, True, 0.0
        return False, document["TrainingJobStatus"] != "Completed", -value if maximize else value

    return sorted(documents, key=place)
