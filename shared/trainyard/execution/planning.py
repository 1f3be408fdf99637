"""What an execution would do: every step in order, each job as the request that it would be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainyard.definition.order import order
from trainyard.definition.runnable import check_runnable
from trainyard.definition.steps import Step
from trainyard.execution import jobs
from trainyard.execution.request import JobRequest
from trainyard.execution.run import Run
from trainyard.execution.steps import JOB_KINDS, RULES
from trainyard.execution.steps.job_step import plan_job


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
            planned.append(Planned(step=step, job=job, without_effect=ignored.get(step.name, ())))
    return planned


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
