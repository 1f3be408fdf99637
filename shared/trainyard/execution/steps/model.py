"""Model steps: CreateModel's request to DescribeModel's answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import NotFound
from trainyard.execution import jobs
from trainyard.execution.request import ARN
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store

RULES = FieldRules(
    honoured=frozenset({"PrimaryContainer", "Containers", "ModelName", "InferenceExecutionConfig"}),
    without_effect=frozenset({"ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "Tags"}),
)


def describe(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    name = str(arguments.get("ModelName", name))
    return {**arguments, "ModelName": name, "ModelArn": f"{ARN}:model/{name}", "CreationTime": time.time()}


def check_data(store: Store, arguments: Mapping[str, Any]) -> None:
    """As AWS does, look whether the artifacts are there; a multi-model prefix may be filled later. Raises NotFound."""
    for container in arguments.get("Containers") or [arguments.get("PrimaryContainer") or {}]:
        uri = container.get("ModelDataUrl")
        if not uri or container.get("Mode") == "MultiModel":
            continue
        if not store.objects.exists(parse_uri(uri)):
            raise NotFound(f"Could not find model data at {uri}.")


def run(run: Run, step: Step) -> StepEnd:
    arguments = run.arguments(step)
    check_data(run.store, arguments)
    result = describe(arguments, jobs.job_name(run.execution_id, step.name))
    run.store.resources.add("model", result["ModelName"], result)
    return StepEnd(status="Succeeded", result=result, metadata={"Model": {"Arn": result["ModelArn"]}})
