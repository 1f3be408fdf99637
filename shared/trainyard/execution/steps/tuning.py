"""Tuning: CreateHyperParameterTuningJob's request to training jobs, as a step and as a job of the API."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.definition.runnable import FieldRules, check_arguments
from trainyard.definition.steps import Step
from trainyard.execution import cache, events
from trainyard.execution.machine import Machine
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.recording import Recording
from trainyard.execution.request import ARN, JobRequest
from trainyard.execution.resources import Document
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.steps import training
from trainyard.execution.steps.job_step import from_cache, plan
from trainyard.execution.targets import Targets
from trainyard.execution.tuning.request import TuningRequest, read_request
from trainyard.execution.tuning.tuner import KIND, Tuner
from trainyard.execution.tuning.warm_start import check_parents

_MOST_NAME = 32
_MOST_SUMMARIES = 50
# HyperParameterAlgorithmSpecification and HyperParameterTrainingJobDefinition lack these of CreateTrainingJob
_ABSENT = {"HyperParameters", "TrainingJobName", "Tags", "AlgorithmSpecification.ContainerEntrypoint",
           "AlgorithmSpecification.ContainerArguments"}  # fmt: skip
_OF_DEFINITION = {
    "DefinitionName", "TuningObjective.Type", "TuningObjective.MetricName", "StaticHyperParameters",
    *(f"HyperParameterRanges.{kind}ParameterRanges" for kind in ("Integer", "Continuous", "Categorical")),
    "HyperParameterTuningResourceConfig",
}  # fmt: skip
_OF_CONFIG = {
    "Strategy", "StrategyConfig", "HyperParameterTuningJobObjective", "ResourceLimits", "RandomSeed",
    *(f"ParameterRanges.{kind}ParameterRanges" for kind in ("Integer", "Continuous", "Categorical")),
    "TrainingJobEarlyStoppingType", "TuningJobCompletionCriteria",
}  # fmt: skip
_DEFINITIONS = ("TrainingJobDefinition", "TrainingJobDefinitions")

RULES = FieldRules(
    honoured=frozenset(
        {"HyperParameterTuningJobName", "WarmStartConfig"}
        | {f"HyperParameterTuningJobConfig.{path}" for path in _OF_CONFIG}
        | {
            f"{place}.{path}"
            for place in _DEFINITIONS
            for path in (set(training.RULES.honoured) - _ABSENT) | _OF_DEFINITION
        }
    ),
    without_effect=frozenset(
        {"Tags"}
        | {f"{place}.{path}" for place in _DEFINITIONS for path in training.RULES.without_effect - _ABSENT}
    ),
    values={
        f"{place}.{path}": values for place in _DEFINITIONS for path, values in training.RULES.values.items()
    },
)


@dataclass(frozen=True)
class _Training:
    """Training jobs on this machine."""

    targets: Targets

    def plan(self, name: str, arguments: Mapping[str, Any], job: str) -> JobRequest:
        return plan(training, "Training", name, arguments, job, self.targets)

    def describe(self, arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]:
        return training.describe(arguments, outcome)


@dataclass(frozen=True)
class Checked:
    """A tuning job that may run; ``jobs`` is one training job for each definition, without tuned values."""

    machine: Machine
    step: str
    arguments: Mapping[str, Any]
    request: TuningRequest
    jobs: tuple[JobRequest, ...]

    def tuner(self, recording: Recording, watch: events.Watcher) -> Tuner:
        self.machine.targets.prepare(job.target for job in self.jobs)
        return Tuner(
            machine=self.machine,
            training=_Training(self.machine.targets),
            request=self.request,
            recording=recording,
            step=self.step,
            watch=watch,
        )

    def document(self, name: str, members: Document) -> Document:
        """What DescribeHyperParameterTuningJob answers."""
        return {
            **self.arguments,
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobArn": f"{ARN}:{KIND}/{name}",
            **members,
        }


def check(machine: Machine, step: str, arguments: Mapping[str, Any]) -> Checked:
    """Read a request; raises UserError where it cannot run here, before anything has happened."""
    check_arguments(step, arguments, RULES)
    request = read_request(step, arguments)
    check_parents(step, request, machine.store.resources)
    jobs = _Training(machine.targets)
    planned = tuple(jobs.plan(step, each.training({}), step) for each in request.definitions)
    return Checked(machine, step, arguments, request, planned)


class TuningWork:
    """HyperParameterTuning as the API starts it."""

    kind = KIND

    def prepare(
        self, machine: Machine, name: str, arguments: Mapping[str, Any]
    ) -> Callable[[Recording, events.Watcher], Document]:
        checked = check(machine, name, arguments)

        def run(recording: Recording, watch: events.Watcher) -> Document:
            return checked.document(name, checked.tuner(recording, watch).run())

        return run


def tuning_name(execution: str, step: str) -> str:
    """``<execution>-<step>-<random>``, as SageMaker mints them, at most 32 letters, digits and hyphens."""
    random = secrets.token_hex(5)
    room = _MOST_NAME - len(f"{execution}--{random}")
    return f"{execution}-{re.sub('[^A-Za-z0-9]', '-', step[:room])}-{random}"


def run(run: Run, step: Step) -> StepEnd:
    arguments = run.arguments(step)
    checked = check(run.machine, step.name, arguments)
    name = tuning_name(run.execution_id, step.name)
    key = None
    if step.cache and step.cache.enabled:
        key = cache.aws_key(step.type, arguments) if run.cache == "aws" else _key(run, checked)
        if end := from_cache(run, step, key):
            return end
    run.store.state.update_step(run.execution_id, step.name, job=name, cache_key=key)
    with run.store.recorder.begin(KIND, name, arguments, run.stop) as recording:
        tuner = checked.tuner(recording, run.watch)
        result = checked.document(name, tuner.run())
        recording.finish(result)
    statuses = {"Completed": "Succeeded", "Stopped": "Stopped"}
    return StepEnd(
        status=statuses.get(result["HyperParameterTuningJobStatus"], "Failed"),
        failure=result.get("FailureReason", ""),
        # the properties of the step are those of the Describe and of the List answer, as on AWS
        result={**result, "TrainingJobSummaries": tuner.summaries()[:_MOST_SUMMARIES]},
        metadata={"TuningJob": {"Arn": result["HyperParameterTuningJobArn"]}},
        outputs=tuner.stored(),
    )


def _key(run: Run, checked: Checked) -> cache.Key:
    """The fields of AWS's list, with each definition's inputs replaced by their content."""
    key = {
        f"HyperParameterTuningJobConfig.{name}": json.dumps(value, sort_keys=True)
        for name, value in checked.arguments["HyperParameterTuningJobConfig"].items()
    }
    key["WarmStartConfig"] = json.dumps(checked.arguments.get("WarmStartConfig"), sort_keys=True)
    for definition, job in zip(checked.request.definitions, checked.jobs, strict=True):
        digest = run.targets.digest(job.target)
        prefix = f"{definition.name}: " if definition.name else ""
        for name, value in cache.job_key(job, run.store.objects, run.store.state, digest).items():
            key[f"{prefix}{name}"] = value
        key[f"{prefix}ranges"] = "; ".join(str(each) for each in definition.ranges)
        key[f"{prefix}metrics"] = "; ".join(f"{each.name}={each.regex}" for each in job.metrics)
    return key
