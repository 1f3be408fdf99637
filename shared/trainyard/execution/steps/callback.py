"""Callback steps: a message with a token goes to a queue, and the step waits until somebody answers the token."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainyard.definition import expressions
from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import DefinitionError, EndpointError
from trainyard.execution import cache, callbacks, events
from trainyard.execution.request import REGION, client_environment
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import disk_errors
from trainyard.execution.step_outputs import listed
from trainyard.execution.steps.job_step import from_cache
from trainyard.execution.store import Store

RULES = FieldRules(honoured=frozenset({""}))
"""Arguments are what the message says: anything."""
_LOOK_EVERY = 0.25


def run(run: Run, step: Step) -> StepEnd:
    arguments = run.arguments(step)
    own: dict[str, Any] = expressions.resolve(step.own, run.scope())
    queue = own.get("SqsQueueUrl")
    if not isinstance(queue, str):
        raise DefinitionError(f"step {step.name!r}: SqsQueueUrl: {queue!r} is no URL of a queue")
    if step.cache and step.cache.enabled:
        key = cache.aws_key(step.type, arguments, own)
        if end := from_cache(run, step, key):
            return end
        run.store.state.update_step(run.execution_id, step.name, cache_key=key)
    arn = run.scope().execution("PipelineExecutionArn")
    declared = own.get("OutputParameters") or []
    token = callbacks.ask(
        run.store, execution=run.execution_id, execution_arn=arn, step=step.name, declared=declared
    )
    metadata: dict[str, Any] = {"CallbackToken": token, "SqsQueueUrl": queue}
    run.store.state.update_step(run.execution_id, step.name, metadata={"Callback": metadata})
    message = {
        "token": token,
        "pipelineExecutionArn": arn,
        "arguments": arguments,
        "status": "Executing",
    }
    try:
        run.watch(events.Note(step=step.name, text=_tell(run, queue, message, declared)))
        answer = _wait(run, queue, message)
    finally:
        callbacks.give_up(run.store, token)
        _file(run.store, token).unlink(missing_ok=True)
    if answer["Status"] == "Succeeded":
        outputs = answer["OutputParameters"]
        metadata["OutputParameters"] = listed(outputs)
        return StepEnd(
            status="Succeeded",
            result={"OutputParameters": outputs},
            metadata={"Callback": metadata},
        )
    if run.stop.requested:
        return StepEnd(status="Stopped", metadata={"Callback": metadata})
    failure = answer.get("FailureReason") or "the callback said that it failed"
    return StepEnd(status="Failed", failure=failure, metadata={"Callback": metadata})


def _wait(run: Run, queue: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Until it is answered: the token's document then.

    A stop is told to the queue, whose reader has to answer before the execution stops (AWS: StopPipelineExecution,
    "Callback Step"). A second stop does not wait for that, nor does one where no queue can be told.
    """
    token, told = message["token"], False
    while True:
        document = callbacks.find(run.store, token)
        if document["Status"] != callbacks.WAITING:
            return document
        if run.stop.requested and not told:
            told = _tell_stopping(run, queue, message)
        if run.stop.hurried or (run.stop.requested and not told):
            callbacks.give_up(run.store, token)  # an answer that comes at this moment counts
            return callbacks.find(run.store, token)
        time.sleep(_LOOK_EVERY)


def _tell(run: Run, queue: str, message: Mapping[str, Any], declared: list[dict[str, Any]]) -> str:
    """Send or write the message; the answer says to people where it is and how to answer."""
    token = message["token"]
    outputs = "".join(f" --output {output['OutputName']}=VALUE" for output in declared)
    how = f"answer with: trainyard callback {token}{outputs}"
    if run.machine.endpoint_url:
        _send(run.machine.endpoint_url, queue, message)
        return f"waits for its callback; the token is in {queue}; {how}"
    file = _file(run.store, token)
    with disk_errors(file):
        file.parent.mkdir(exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(message, indent=2) + "\n")
        partial.rename(file)
    return f"waits for its callback; the message is in {file}; {how}"


def _file(store: Store, token: str) -> Path:
    """Where the message lies for as long as it is not answered, if there is no queue."""
    return store.home / "callbacks" / f"{token}.json"


def _tell_stopping(run: Run, queue: str, message: Mapping[str, Any]) -> bool:
    """Whether there is a queue that could be told."""
    if not run.machine.endpoint_url:
        return False
    try:
        _send(run.machine.endpoint_url, queue, {**message, "status": "Stopping"})
    except EndpointError as error:
        run.watch(events.Note(step="", text=str(error)))
        return False
    return True


def _send(endpoint_url: str, queue: str, message: Mapping[str, Any]) -> None:
    """Raises EndpointError."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    keys = client_environment(endpoint_url)
    try:
        client = boto3.Session(
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        ).client(
            "sqs", endpoint_url=endpoint_url, config=Config(connect_timeout=5, retries={"max_attempts": 2})
        )
        client.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    except (BotoCoreError, ClientError) as error:
        raise EndpointError(f"the callback's message could not be sent to {queue!r}: {error}") from error
