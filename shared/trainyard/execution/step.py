"""Run one step of an execution and record what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.definition import conditions, expressions
from trainyard.definition.document import Document
from trainyard.definition.runnable import check_arguments
from trainyard.definition.steps import Step
from trainyard.errors import DefinitionError, UserError
from trainyard.execution import cache, events, jobs
from trainyard.execution.request import JobRequest, Launcher, StopSignal
from trainyard.execution.scope import ExecutionScope
from trainyard.execution.steps import JOB_KINDS, RULES, model, register_model
from trainyard.execution.store import Store
from trainyard.execution.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution while it is being run: what every step needs to know."""

    store: Store
    launcher: Launcher
    targets: Targets
    document: Document
    parameters: Mapping[str, Any]
    execution_id: str
    pipeline: str
    started: float
    stop: StopSignal
    watch: events.Watcher
    use_cache: bool = True

    def scope(self, job: str = "", *, results: bool = True) -> ExecutionScope:
        return ExecutionScope(
            store=self.store,
            document=self.document,
            parameters=self.parameters,
            execution_id=self.execution_id,
            pipeline=self.pipeline,
            started=self.started,
            job=job,
            results=results,
        )


@dataclass(frozen=True, kw_only=True)
class StepEnd:
    """What came of a step: columns of its row in the state."""

    status: str
    failure: str = ""
    result: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, list[int]] = field(default_factory=dict)
    cache_source: str | None = None
    detail: str = ""


def run_step(run: Run, step: Step) -> StepEnd:
    """Run a step; an expected failure of it is its end, not an exception."""
    began = time.monotonic()
    run.store.state.start_step(run.execution_id, step.name, step.type)
    run.watch(events.StepStarted(step=step.name, kind=step.type))
    try:
        end = _RUNNERS[step.type](run, step)
    except UserError as error:
        end = StepEnd(status="Failed", failure=_storable(str(error)))
    run.store.state.update_step(
        run.execution_id,
        step.name,
        status=end.status,
        failure=end.failure or None,
        result=end.result,
        metadata=end.metadata,
        outputs=end.outputs,
        cache_source=end.cache_source,
        ended=time.time(),
    )
    run.watch(
        events.StepEnded(
            step=step.name,
            kind=step.type,
            status=end.status,
            seconds=time.monotonic() - began,
            reason=end.failure,
            cached_from=end.cache_source or "",
            detail=end.detail,
        )
    )
    return end


def _storable(text: str) -> str:
    """Text that the database takes: a JSON string may hold half a surrogate pair."""
    return text.encode(errors="backslashreplace").decode()


def plan_job(run: Run, step: Step, job: str, *, results: bool = True) -> tuple[dict[str, Any], JobRequest]:
    """A job step's resolved arguments and its request; ``results=False`` before anything has run."""
    resolve = expressions.resolve if results else expressions.preview
    arguments = resolve(step.arguments, run.scope(job, results=results))
    if results:
        check_arguments(step.name, arguments, RULES[step.type])
    try:
        return arguments, JOB_KINDS[step.type].plan(step.name, arguments, job, run.targets)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # a list for an object and the like: the request is somebody else's JSON
        raise DefinitionError(
            f"step {step.name!r}: its Arguments do not have the shape of a Create{step.type}Job request ({error!r})"
        ) from error


def _run_job_step(run: Run, step: Step) -> StepEnd:
    job = jobs.job_name(run.execution_id, step.name)
    arguments, request = plan_job(run, step, job)
    key = None
    if step.cache and step.cache.enabled:
        digest = run.targets.digest(request.target)
        key = cache.job_key(request, run.store.objects, run.store.state, digest)
        if run.use_cache:
            found = cache.look_up(
                run.store.state, run.store.objects, run.pipeline, step.name, key, step.cache.expire_after
            )
            if found.hit:
                run.store.state.update_step(run.execution_id, step.name, cache_note=found.note)
                return _cached(found.hit, found.note)
            run.store.state.update_step(run.execution_id, step.name, cache_note=found.note)
            run.watch(events.Note(step=step.name, text=f"not cached: {found.note}"))
    run.store.state.update_step(run.execution_id, step.name, job=job, cache_key=key)
    outcome = jobs.run_job(run.store, run.launcher, step.name, request, run.stop, run.watch)
    result = JOB_KINDS[step.type].describe(arguments, outcome)
    statuses = {
        "Completed": "Succeeded",
        "Stopped": "Stopped" if outcome.ended.stopped == "Stopped" else "Failed",
    }
    kind = f"{step.type}Job"
    return StepEnd(
        status=statuses.get(outcome.status, "Failed"),
        failure=outcome.failure,
        result=result,
        metadata={kind: {"Arn": result[f"{kind}Arn"]}},
        outputs=outcome.stored,
    )


def _cached(row: Mapping[str, Any], note: str) -> StepEnd:
    return StepEnd(
        status="Succeeded",
        result=row["result"],
        metadata=row["metadata"] or {},
        outputs=row["outputs"] or {},
        cache_source=row["execution"],
        detail=note,
    )


def _run_condition(run: Run, step: Step) -> StepEnd:
    outcome = conditions.hold(step.conditions, run.scope())
    text = str(outcome)
    detail = f"{conditions.explain(step.conditions, run.scope())} is {text.lower()}"
    return StepEnd(
        status="Succeeded",
        result={"Outcome": text},
        metadata={"Condition": {"Outcome": text, "Explanation": detail}},
        detail=detail,
    )


def _run_fail(run: Run, step: Step) -> StepEnd:
    message = _storable(str(expressions.resolve(step.arguments.get("ErrorMessage", ""), run.scope())))
    return StepEnd(status="Failed", failure=message, metadata={"Fail": {"ErrorMessage": message}})


def _run_model(run: Run, step: Step) -> StepEnd:
    arguments = expressions.resolve(step.arguments, run.scope())
    result = model.describe(arguments, jobs.job_name(run.execution_id, step.name))
    return StepEnd(status="Succeeded", result=result, metadata={"Model": {"Arn": result["ModelArn"]}})


def _run_register_model(run: Run, step: Step) -> StepEnd:
    arguments = expressions.resolve(step.arguments, run.scope())
    # cut off before the step is recorded, it is asked again on resume
    token = f"{run.execution_id}/{step.name}"
    result = register_model.register(step.name, arguments, run.store.objects, run.store.registry, token)
    arn = result["ModelPackageArn"]
    return StepEnd(status="Succeeded", result=result, metadata={"RegisterModel": {"Arn": arn}}, detail=arn)


_RUNNERS: dict[str, Callable[[Run, Step], StepEnd]] = {
    "Processing": _run_job_step,
    "Training": _run_job_step,
    "Condition": _run_condition,
    "Fail": _run_fail,
    "Model": _run_model,
    "RegisterModel": _run_register_model,
}
