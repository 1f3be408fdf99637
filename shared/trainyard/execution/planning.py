"""What an execution would do: every step in order, each job as the request that it would be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainyard.definition.order import order
from trainyard.definition.runnable import check_runnable
from trainyard.definition.steps import Step
from trainyard.errors import Unsupported
from trainyard.execution import jobs
from trainyard.execution.request import JobRequest
from trainyard.execution.run import Run
from trainyard.execution.steps import JOB_KINDS, RULES
from trainyard.execution.steps.job_step import plan_job

_FUNCTION = "sagemaker_remote_function_bootstrap"  # the channel with which the SDK starts a function


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step before anything runs: its job if it is one, and which of its fields one machine has no use for."""

    step: Step
    job: JobRequest | None
    without_effect: tuple[str, ...]


def plan(run: Run) -> list[Planned]:
    """Every step; values that only a run gives are ``${...}``. Raises DefinitionError or Unsupported."""
    ignored = check_runnable(run.document, RULES)
    planned = []
    for name in order(run.document).sequence:
        for step in _with_body(run.document.by_name[name]):
            job = None
            if kind := JOB_KINDS.get(step.type):
                job = plan_job(run, step, kind, jobs.job_name(run.execution_id, step.name), results=False)[1]
                _check_function(run, step, job)
            planned.append(Planned(step=step, job=job, without_effect=ignored.get(step.name, ())))
    return planned


def _check_function(run: Run, step: Step, job: JobRequest) -> None:
    """Raises Unsupported for a function of ``@step`` that could not read its code.

    The SDK keeps code, arguments and results of functions in S3; where it does not reach it, its job even succeeds.
    """
    if not run.machine.endpoint_url and any(channel.name == _FUNCTION for channel in job.channels):
        raise Unsupported(
            f"step {step.name!r} is a Python function (@step), which reads its code and arguments from S3 while it "
            "runs; start the local endpoint first, with: trainyard local up"
        )


def only(planned: Iterable[Planned], names: Iterable[str]) -> list[Planned]:
    """Those of the named steps, and of the steps in their bodies."""
    wanted = set(names)
    return [
        each
        for each in planned
        if each.step.name in wanted
        or (each.step.parent and each.step.parent.branch == "body" and each.step.parent.step in wanted)
    ]


def _with_body(step: Step) -> tuple[Step, ...]:
    return (step, *step.body_steps)
