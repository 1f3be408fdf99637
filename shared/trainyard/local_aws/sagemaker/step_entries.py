"""Steps of executions as ListPipelineExecutionSteps shows them, and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from trainyard.execution.request import ARN
from trainyard.execution.state import Row
from trainyard.local_aws.sagemaker.definitions import execution_arn

# the kinds of steps that are jobs: Metadata's member for them, and what their ARNs say
_JOBS = {
    "Training": ("TrainingJob", "training-job"),
    "Processing": ("ProcessingJob", "processing-job"),
    "Transform": ("TransformJob", "transform-job"),
    "Tuning": ("TuningJob", "hyper-parameter-tuning-job"),
}


def entry(
    row: Row, step: Row, declared: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """What ListPipelineExecutionSteps says of a step; ``declared`` are the definition's, by name."""
    status = step["status"]
    if status == "Executing" and row["status"] == "Stopping":
        status = "Stopping"
    elif status == "Executing" and step["kind"] in _JOBS and not step["job"]:
        status = "Starting"
    iteration = step["iteration"]
    name = step["name"].removesuffix(f"-{iteration['Index']}") if iteration else step["name"]
    words = {"StepDisplayName": "DisplayName", "StepDescription": "Description"}
    shown = {
        "StepName": step["name"],
        **{member: declared[name][key] for member, key in words.items() if declared.get(name, {}).get(key)},
        "StartTime": step["started"],
        "StepStatus": status,
        "Metadata": step["metadata"] or _job(step),
        "AttemptCount": step["attempts"],
    }
    if step["ended"]:
        shown["EndTime"] = step["ended"]
    if step["failure"]:
        shown["FailureReason"] = step["failure"][:1024]
    for member, column in (("CacheHitResult", "cache_source"), ("SelectiveExecutionResult", "selected_from")):
        if step[column]:
            source = execution_arn({**row, "id": step[column]})
            shown[member] = {"SourcePipelineExecutionArn": source}
    if iteration:
        shown["IterationContext"] = iteration
    return shown


def declared_steps(row: Row) -> dict[str, dict[str, Any]]:
    """The steps of an execution's definition, by name."""
    return {step["Name"]: step for step in _every(row["definition"].get("Steps"))}


def _job(step: Row) -> dict[str, Any]:
    """The metadata of a step whose job runs, or ended without an answer."""
    if step["kind"] not in _JOBS or not step["job"]:
        return {}
    member, kind = _JOBS[step["kind"]]
    return {member: {"Arn": f"{ARN}:{kind}/{step['job']}"}}


def _every(steps: Any) -> Iterator[dict[str, Any]]:
    """The steps of a definition, nested ones included."""
    for step in steps or ():
        yield step
        for nested in ("IfSteps", "ElseSteps"):
            yield from _every(step.get("Arguments", {}).get(nested))
        yield from _every(step.get("ForEachBody"))
