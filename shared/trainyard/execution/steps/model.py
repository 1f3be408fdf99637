"""Model steps: CreateModel's request to DescribeModel's answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.execution import jobs
from trainyard.execution.request import ARN
from trainyard.execution.run import Run, StepEnd

RULES = FieldRules(
    honoured=frozenset({"PrimaryContainer", "Containers", "ModelName", "InferenceExecutionConfig"}),
    without_effect=frozenset({"ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "Tags"}),
)


def describe(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    name = str(arguments.get("ModelName", name))
    return {**arguments, "ModelName": name, "ModelArn": f"{ARN}:model/{name}", "CreationTime": time.time()}


def run(run: Run, step: Step) -> StepEnd:
    result = describe(run.arguments(step), jobs.job_name(run.execution_id, step.name))
    run.store.resources.add("model", result["ModelName"], result)
    return StepEnd(status="Succeeded", result=result, metadata={"Model": {"Arn": result["ModelArn"]}})
