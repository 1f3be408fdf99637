"""Pipeline executions: started, stopped, retried; each runs in a thread of the endpoint."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainyard.errors import AlreadyExists, Conflict, NotFound
from trainyard.execution import callbacks
from trainyard.execution.begun import Begun
from trainyard.execution.executor import Executor
from trainyard.execution.selection import Selection
from trainyard.execution.state import Row
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import execution_events, history
from trainyard.local_aws.sagemaker.definitions import execution_arn, find, text_of, version_of
from trainyard.local_aws.sagemaker.history import execution_of

_TOKEN = "client-request-token"
_PATIENCE = 30.0
"""Seconds that a repeated request waits for the answer to the first one."""
_KEPT = (
    "PipelineExecutionDisplayName",
    "PipelineExecutionDescription",
    "MlflowExperimentName",
    "RoleArn",
)
_options = threading.Lock()  # what is known of an execution is read, changed and written as one


def start(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Check it all, record the execution and run it in a thread; a repeated token starts nothing new."""
    pipeline = find(context, request["PipelineName"])
    version = version_of(pipeline, request)
    definition = json.loads(text_of(context, pipeline, version))
    kept = {name: request[name] for name in _KEPT if name in request}
    limit = request.get("ParallelismConfiguration") or pipeline.get("ParallelismConfiguration") or {}
    selected = _selected(context, request)

    def work() -> str:
        try:
            begun = _executor(context).begin(
                definition,
                pipeline["PipelineName"],
                _values(request, "PipelineParameters"),
                parallel=limit.get("MaxParallelExecutionSteps"),
                selected=selected,
                prepare=False,
                options={"request": {**kept, "PipelineVersionId": version["PipelineVersionId"]}},
            )
        except (
            NotFound
        ) as error:  # a selected step; ResourceNotFound would say that the pipeline is not there
            raise AwsError("ValidationException", str(error)) from error
        return _run(context, begun)

    return {"PipelineExecutionArn": _once(context, request, work)}


def stop(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Stopping at once, Stopped when the running steps have ended; a second request changes nothing."""
    row = execution_of(context, request["PipelineExecutionArn"])
    begun = context.executing.get(row["id"])
    if row["status"] == "Executing" and begun and context.store.state.mark_stopping(row["id"]):
        execution_events.tell_stopping(context, row["id"])
        begun.stop.request()
    else:
        row = execution_of(context, request["PipelineExecutionArn"])
        if row["status"] == "Executing":
            raise Conflict(
                f"Pipeline execution {execution_arn(row)} runs in another process; stop it there, with Ctrl-C"
            )
        if row["status"] != "Stopping":
            raise AwsError(
                "ValidationException",
                "Only pipelines with 'Executing' status can be stopped. "
                f"Pipeline execution {execution_arn(row)} is in status '{row['status']}'.",
            )
    return {"PipelineExecutionArn": execution_arn(row)}


def retry(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Go on with what failed or was stopped; steps that succeeded stay as they are."""
    row = execution_of(context, request["PipelineExecutionArn"])

    def work() -> str:
        if row["status"] not in ("Failed", "Stopped", "CompletedWithFailures"):
            raise AwsError(
                "ValidationException",
                "Only pipeline executions with 'Failed' or 'Stopped' status can be retried. "
                f"Pipeline execution {execution_arn(row)} is in status '{row['status']}'.",
            )
        if limit := request.get("ParallelismConfiguration"):
            _change(context, row["id"], {"parallel": limit["MaxParallelExecutionSteps"]})
        return _run(context, _executor(context).begin_again(row["id"], prepare=False))

    return {"PipelineExecutionArn": _once(context, request, work)}


def update(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    row = execution_of(context, request["PipelineExecutionArn"])
    members = {name: request[name] for name in _KEPT[:2] if name in request}
    changes: dict[str, Any] = {"request": members} if members else {}
    if limit := request.get("ParallelismConfiguration"):
        changes["parallel"] = limit["MaxParallelExecutionSteps"]
        if begun := context.executing.get(row["id"]):
            begun.resize(limit["MaxParallelExecutionSteps"])
        elif row["status"] in ("Executing", "Stopping"):
            raise Conflict(
                f"Pipeline execution {execution_arn(row)} runs in another process; its ParallelismConfiguration "
                "cannot be changed from here"
            )
    _change(context, row["id"], changes)
    return {"PipelineExecutionArn": execution_arn(row)}


def succeed_step(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The answer that a callback step waits for."""
    given = _values(request, "OutputParameters")
    answered = callbacks.succeed(context.store, request["CallbackToken"], given)
    return {"PipelineExecutionArn": answered["PipelineExecutionArn"]}


def fail_step(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    answered = callbacks.fail(context.store, request["CallbackToken"], request.get("FailureReason", ""))
    return {"PipelineExecutionArn": answered["PipelineExecutionArn"]}


def _executor(context: Context) -> Executor:
    """For one execution: its steps are told of."""
    return replace(context, watch=execution_events.watching(context)).executor()


def _run(context: Context, begun: Begun) -> str:
    """Run what has begun in a thread."""

    def work() -> None:
        try:
            begun.run()
        finally:
            del context.executing[begun.execution]
        execution_events.tell(context, begun.execution, "Stopping" if begun.stop.requested else "Executing")

    row = context.store.execution(begun.execution)
    context.executing[begun.execution] = begun
    execution_events.tell(context, begun.execution, "")
    context.background.start(f"pipeline-execution {begun.execution}", work, begun.stop.request)
    return execution_arn(row)


def _values(request: Mapping[str, Any], member: str) -> dict[str, str]:
    """A list of Name and Value as a mapping. Raises AwsError for a name that is there twice."""
    given = request.get(member, [])
    values = {each["Name"]: each["Value"] for each in given}
    if len(values) < len(given):
        names = [each["Name"] for each in given]
        twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        raise AwsError("ValidationException", f"{member}: given more than once: {twice}")
    return values


def _selected(context: Context, request: Mapping[str, Any]) -> Selection | None:
    config = request.get("SelectiveExecutionConfig")
    if not config:
        return None
    source = config.get("SourcePipelineExecutionArn")
    return Selection(
        steps=tuple(step["StepName"] for step in config["SelectedSteps"]),
        source=execution_of(context, source)["id"] if source else "",
    )


def _change(context: Context, execution: str, changes: Mapping[str, Any]) -> None:
    with _options:
        options = context.store.execution(execution)["options"]
        members = {**options.get("request", {}), **changes.get("request", {})}
        context.store.state.update_execution(execution, options={**options, **changes, "request": members})


def _once(context: Context, request: Mapping[str, Any], work: Callable[[], str]) -> str:
    """What ``work`` answers, or answered when this request came before: clients send a lost one again.

    Raises Conflict where the ClientRequestToken came with another request.
    """
    token = request.get("ClientRequestToken")
    if token is None:
        return work()
    resources = context.store.resources
    try:
        resources.add(_TOKEN, token, {"Request": dict(request)})
    except AlreadyExists:
        return _earlier(context, token, request)
    try:
        answer = work()
    except BaseException:
        resources.remove(_TOKEN, token)
        raise
    resources.update(_TOKEN, token, Answer=answer)
    return answer


def _earlier(context: Context, token: str, request: Mapping[str, Any]) -> str:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found: Row | None = context.store.resources.find(_TOKEN, token)
        if found is None:
            break  # the first request was refused
        if found.get("Request", request) != request:
            raise Conflict(f"ClientRequestToken {token} came with another request before; send a new one")
        if "Answer" in found:
            return str(found["Answer"])
        time.sleep(0.05)
    raise Conflict(
        f"ClientRequestToken {token} belongs to a request that was not carried out; send a new one"
    )


OPERATIONS: dict[str, Handler] = {
    "StartPipelineExecution": start,
    "StopPipelineExecution": stop,
    "RetryPipelineExecution": retry,
    "UpdatePipelineExecution": update,
    "SendPipelineExecutionStepSuccess": succeed_step,
    "SendPipelineExecutionStepFailure": fail_step,
    **history.OPERATIONS,
}
