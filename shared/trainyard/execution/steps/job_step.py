"""Run a step that is one job: from the cache if it can be, otherwise by the launcher, recorded as a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from trainyard.definition import expressions
from trainyard.definition.runnable import FieldRules, check_arguments
from trainyard.definition.steps import Step
from trainyard.errors import DefinitionError
from trainyard.execution import cache, events, jobs
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import JobRequest
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.targets import Targets


class JobKind(Protocol):
    """A kind of step that is one job; modules offer this."""

    RULES: FieldRules

    # the job that resolved arguments ask for; raises Unsupported or DefinitionError
    def plan(
        self, step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets
    ) -> JobRequest: ...

    # the answer of the Describe call for the job when it has ended
    def describe(self, arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]: ...


def plan_job(
    run: Run, step: Step, kind: JobKind, job: str, *, results: bool = True
) -> tuple[dict[str, Any], JobRequest]:
    """A job step's resolved arguments and its request; ``results=False`` before anything has run."""
    resolve = expressions.resolve if results else expressions.preview
    arguments = resolve(step.arguments, run.scope(job, results=results))
    if results:
        check_arguments(step.name, arguments, kind.RULES)
    return arguments, plan(kind, step.type, step.name, arguments, job, run.targets)


def plan(
    kind: JobKind, type_: str, step: str, arguments: Mapping[str, Any], job: str, targets: Targets
) -> JobRequest:
    """The kind's plan; raises DefinitionError also where the request is not shaped as one."""
    try:
        return kind.plan(step, arguments, job, targets)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # a list for an object and the like: the request is somebody else's JSON
        raise DefinitionError(
            f"step {step!r}: its Arguments do not have the shape of a Create{type_}Job request ({error!r})"
        ) from error


def run_job_step(run: Run, step: Step, kind: JobKind, aws_key: cache.Key | None = None) -> StepEnd:
    """``aws_key`` is AWS's key of the step where that is not the key of its job."""
    job = jobs.job_name(run.execution_id, step.name)
    arguments, request = plan_job(run, step, kind, job)
    key = None
    if step.cache and step.cache.enabled:
        if run.cache == "aws":
            key = aws_key or cache.aws_key(step.type, arguments)
        else:
            digest = run.targets.digest(request.target)
            key = cache.job_key(request, run.store.objects, run.store.state, digest)
        if end := from_cache(run, step, key):
            return end
    run.store.state.update_step(run.execution_id, step.name, job=request.name, cache_key=key)
    with run.store.recorder.begin(f"{step.type.lower()}-job", request.name, arguments, run.stop) as recording:
        outcome = run.machine.run(step.name, request, recording.stop, run.watch)
        result = kind.describe(arguments, outcome)
        recording.finish(result)
    statuses = {
        "Completed": "Succeeded",
        "Stopped": "Stopped" if outcome.ended.stopped == "Stopped" else "Failed",
    }
    name = f"{step.type}Job"
    return StepEnd(
        status=statuses.get(outcome.status, "Failed"),
        failure=outcome.failure,
        result=result,
        metadata={name: {"Arn": result[f"{name}Arn"]}},
        outputs=outcome.stored,
    )


def from_cache(run: Run, step: Step, key: cache.Key) -> StepEnd | None:
    """The end of an earlier run of this step that stands for this one, if there is one."""
    if not run.use_cache or not step.cache:
        return None
    found = cache.look_up(
        run.store.state, run.store.objects, run.pipeline, step.name, key, step.cache.expire_after
    )
    run.store.state.update_step(run.execution_id, step.name, cache_note=found.note)
    if not found.hit:
        run.watch(events.Note(step=step.name, text=f"not cached: {found.note}"))
        return None
    return StepEnd(
        status="Succeeded",
        result=found.hit["result"],
        metadata=found.hit["metadata"] or {},
        outputs=found.hit["outputs"] or {},
        cache_source=found.hit["execution"],
        detail=found.note,
    )
