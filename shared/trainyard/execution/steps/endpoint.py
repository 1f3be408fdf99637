"""Endpoint steps: an endpoint that is created, or updated where there is one of that name, and answers /ping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import AlreadyExists
from trainyard.execution import jobs
from trainyard.execution.deployment import check_name
from trainyard.execution.endpoint_records import described
from trainyard.execution.hosts import Hosts
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.steps.job import need

RULES = FieldRules(
    honoured=frozenset({"EndpointName", "EndpointConfigName"}),
    without_effect=frozenset({"Tags", "DeploymentConfig"}),
)


def run(run: Run, step: Step) -> StepEnd:
    """The endpoint stays with the machine's hosts; without any, its containers end when they have answered /ping."""
    arguments = run.arguments(step)
    name = check_name(str(arguments.get("EndpointName") or jobs.job_name(run.execution_id, step.name)))
    config = str(need(step.name, arguments, "EndpointConfigName"))
    hosts = run.machine.hosts or Hosts(lambda: run.machine)
    try:
        try:
            deploy = hosts.create(name, config)
        except AlreadyExists:
            deploy = hosts.update(name, config)
        reason = _unless_stopped(run, deploy, lambda: hosts.cancel(name))
    finally:
        if hosts is not run.machine.hosts:
            hosts.close()
    if run.stop.requested and reason:
        return StepEnd(status="Stopped", failure="the execution was stopped")
    result = hosts.records.get(name)
    metadata = {"Endpoint": {"Arn": result["EndpointArn"]}}
    if reason:
        return StepEnd(status="Failed", failure=f"endpoint {name}: {reason}", metadata=metadata)
    detail = name if run.machine.hosts else f"{name}; `trainyard local up` serves it"
    return StepEnd(status="Succeeded", result=described(result), metadata=metadata, detail=detail)


def _unless_stopped(run: Run, deploy: Callable[[], str], cancel: Callable[[], None]) -> str:
    answer = ["the deployment died"]

    def work() -> None:
        answer[0] = deploy()

    thread = threading.Thread(target=work, name="deploy", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
        if run.stop.requested:
            with suppress(OSError):
                cancel()
    return answer[0]
