"""Events of pipeline executions and of their steps.

Source: SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainyard.execution import events
from trainyard.execution.state import Row
from trainyard.local_aws.context import Context
from trainyard.local_aws.sagemaker.definitions import execution_arn, pipeline_arn
from trainyard.local_aws.sagemaker.history import requested
from trainyard.local_aws.sagemaker.step_entries import entry

STATUS_CHANGE = "SageMaker Model Building Pipeline Execution Status Change"
STEP_STATUS_CHANGE = "SageMaker Model Building Pipeline Execution Step Status Change"


def tell(context: Context, execution: str, before: str) -> None:
    """Tell the execution's status, which was ``before``; empty for one that begins."""
    row = context.store.execution(execution)
    given = requested(row)
    detail = {
        "pipelineExecutionDisplayName": given.get("PipelineExecutionDisplayName"),
        "pipelineExecutionDescription": given.get("PipelineExecutionDescription"),
        "currentPipelineExecutionStatus": row["status"],
        "previousPipelineExecutionStatus": before,
        "executionStartTime": _time(row["started"]),
        "executionEndTime": _time(row["ended"]),
        **_arns(row),
    }
    context.emit(STATUS_CHANGE, _without_absent(detail))


def tell_stopping(context: Context, execution: str) -> None:
    """Tell that an execution is Stopping, and so are the steps that run."""
    tell(context, execution, "Executing")
    for step in context.store.state.steps(execution):
        if step["ended"] is None:
            _tell_step(context, execution, step["name"], "Executing")


def watching(context: Context) -> events.Watcher:
    """Tells of each step of one execution that begins and ends, and what it hears to whoever watches the endpoint."""
    execution = ""

    def watch(event: events.Event) -> None:
        nonlocal execution
        if isinstance(event, events.ExecutionStarted):
            execution = event.execution
        elif isinstance(event, events.StepStarted):
            _tell_step(context, execution, event.step, "Starting")
        elif isinstance(event, events.StepEnded):
            stopping = context.store.execution(execution)["status"] == "Stopping"
            _tell_step(context, execution, event.step, "Stopping" if stopping else "Executing")
        context.watch(event)

    return watch


def _tell_step(context: Context, execution: str, name: str, before: str) -> None:
    row, step = context.store.execution(execution), context.store.state.step(execution, name)
    if step is None:
        return
    listed = entry(row, step)
    detail = {
        "metadata": _in_camel_case(listed["Metadata"]),
        "stepStartTime": _time(step["started"]),
        "stepEndTime": _time(step["ended"]),
        "stepName": name,
        "stepType": step["kind"],
        "previousStepStatus": before,
        "currentStepStatus": "Executing" if listed["StepStatus"] == "Starting" else listed["StepStatus"],
        "failureReason": listed.get("FailureReason"),
        "cacheHitResult": _in_camel_case(listed.get("CacheHitResult")),
        **_arns(row),
    }
    context.emit(STEP_STATUS_CHANGE, _without_absent(detail))


def _arns(row: Row) -> dict[str, str]:
    return {"pipelineArn": pipeline_arn(row["pipeline"]), "pipelineExecutionArn": execution_arn(row)}


def _without_absent(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if value}


def _in_camel_case(value: Any) -> Any:
    """Members of answers as events spell them: ``ProcessingJob.Arn`` is ``processingJob.arn``."""
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: _in_camel_case(item) for key, item in value.items()}
    return [_in_camel_case(item) for item in value] if isinstance(value, list) else value


def _time(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else ""
