"""Lambda steps: a function is invoked with the step's Arguments, and its answer has the step's outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainyard.definition import expressions
from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import DefinitionError
from trainyard.execution import cache, functions
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.state import storable
from trainyard.execution.step_outputs import listed, typed
from trainyard.execution.steps.job_step import from_cache

RULES = FieldRules(honoured=frozenset({""}))
"""Arguments are the function's event: anything."""
_REASON_LENGTH = 1024


def run(run: Run, step: Step) -> StepEnd:
    event = run.arguments(step)
    own: dict[str, Any] = expressions.resolve(step.own, run.scope())
    arn = own.get("FunctionArn")
    if not isinstance(arn, str):
        raise DefinitionError(f"step {step.name!r}: FunctionArn: {arn!r} is no function's ARN or name")
    function = functions.describe(run.store, functions.read_reference(arn))
    if step.cache and step.cache.enabled:
        key = _key(run, own, event, function)
        if end := from_cache(run, step, key):
            return end
        run.store.state.update_step(run.execution_id, step.name, cache_key=key)
    ended = functions.invoke(
        run.store, arn, json.dumps(event).encode(), endpoint_url=run.machine.endpoint_url, stop=run.stop
    )
    # a stop waits for the function, or its timeout, which fails the execution (AWS: StopPipelineExecution)
    if ended.error and run.stop.hurried:
        return StepEnd(status="Stopped", metadata={"Lambda": {"Arn": arn}})
    result = ended.result
    if ended.error:
        what = f"{result['errorType']}: {result['errorMessage']}"
        failure = storable(f"the function {arn} failed: {what}")[:_REASON_LENGTH]
        return StepEnd(status="Failed", failure=failure, metadata={"Lambda": {"Arn": arn}})
    where = f"step {step.name!r}: what the function {arn} returned"
    outputs = typed(own.get("OutputParameters") or (), result if isinstance(result, Mapping) else {}, where)
    return StepEnd(
        status="Succeeded",
        result={"OutputParameters": outputs},
        metadata={"Lambda": {"Arn": arn, "OutputParameters": listed(outputs)}},
    )


def _key(
    run: Run, own: Mapping[str, Any], event: Mapping[str, Any], function: Mapping[str, Any]
) -> cache.Key:
    """By content, the function's code and settings count, and its ARN does not."""
    if run.cache == "aws":
        return cache.aws_key("Lambda", event, own)
    return {
        "event": json.dumps(event, sort_keys=True),
        "outputs": json.dumps(own.get("OutputParameters") or [], sort_keys=True),
        "code": str(function["CodeSha256"]),
        "handler": str(function["Handler"]),
        "environment": json.dumps(function.get("Environment", {}).get("Variables", {}), sort_keys=True),
    }
