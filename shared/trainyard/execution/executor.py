"""Run pipeline executions: check everything first, then steps in parallel as soon as they can, recorded as they end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from trainyard.definition import document as documents
from trainyard.definition.document import Document
from trainyard.definition.order import order
from trainyard.definition.parameters import resolve_parameters
from trainyard.definition.runnable import check_runnable
from trainyard.definition.steps import Step
from trainyard.errors import NotFound, StoreError, Unsupported, UserError
from trainyard.execution import events, jobs, outputs
from trainyard.execution.machine import Machine
from trainyard.execution.request import JobRequest, Launcher, StopSignal
from trainyard.execution.run import Run
from trainyard.execution.schedule import run_steps, stopping_on_signals
from trainyard.execution.steps import JOB_KINDS, RULES
from trainyard.execution.steps.job_step import plan_job
from trainyard.execution.store import Store, new_execution_id
from trainyard.execution.targets import Targets, parse_target


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How an execution ended: Succeeded, Failed or Stopped."""

    execution: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step before anything runs: its job if it is one, and which of its fields one machine has no use for."""

    step: Step
    job: JobRequest | None
    without_effect: tuple[str, ...]


class Executor:
    """Starts and resumes executions in one store. ``watch`` is told everything, from several threads."""

    def __init__(
        self,
        store: Store,
        launcher: Launcher,
        targets: Targets,
        watch: events.Watcher = events.nobody,
        *,
        endpoint_url: str = "",
    ) -> None:
        self._store = store
        self._machine = Machine(store=store, launcher=launcher, targets=targets, endpoint_url=endpoint_url)
        self._targets = targets
        self._watch = watch
        self.stop = StopSignal()

    def plan(
        self, definition: Mapping[str, Any], pipeline: str, parameters: Mapping[str, Any]
    ) -> list[Planned]:
        """Every step in order, with the job that it would be; values that only a run gives are ``${...}``.

        Raises DefinitionError, ParameterError or Unsupported for what could not run.
        """
        document = _checked(definition)
        run = self._run(document, pipeline, resolve_parameters(document, parameters), new_execution_id())
        return _plan(run)

    def start(
        self,
        definition: Mapping[str, Any],
        pipeline: str,
        parameters: Mapping[str, Any],
        *,
        use_cache: bool = True,
        only: str = "",
    ) -> Finished:
        """Run a definition as a new execution.

        With ``only``, run that one step on the newest results of the steps that it needs. Raises what
        ``plan`` raises, before anything starts or is recorded.
        """
        return self.begin(definition, pipeline, parameters, use_cache=use_cache, only=only).run()

    def begin(
        self,
        definition: Mapping[str, Any],
        pipeline: str,
        parameters: Mapping[str, Any],
        *,
        use_cache: bool = True,
        only: str = "",
        prepare: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> Begun:
        """Record a new execution, which the answer's ``run`` then runs, in any thread.

        Raises what ``plan`` raises, with nothing recorded. Without ``prepare``, environments and images are made
        by ``run``, and failing to is how the execution ends. ``options`` are kept with it.
        """
        document = _checked(definition)
        values = resolve_parameters(document, parameters)
        run = self._run(document, pipeline, values, new_execution_id(), use_cache=use_cache and not only)
        planned = _plan(run)
        sources = _sources(run, only) if only else {}
        jobs_of = [each for each in planned if only in ("", each.step.name)]
        if prepare:
            self._prepare(jobs_of)
        kept = {
            **(options or {}),
            "with": "docker" if self._targets.as_images else "venv",
            "map": {image: str(target) for image, target in self._targets.mapped.items()},
            "only": only,
            "cache": run.use_cache,
        }
        living = ExitStack()
        living.enter_context(self._store.living(run.execution_id))
        self._store.state.add_execution(run.execution_id, pipeline, dict(definition), dict(parameters), kept)
        for name, row in sources.items():
            _take_over(run, name, row)
        return Begun(self, run, only, living, () if prepare else jobs_of)

    def resume(self, execution: str) -> Finished:
        """Go on with an execution that failed, was stopped or was cut off; what succeeded stays.

        Raises NotFound, or StoreError when it is running or has nothing left to do.
        """
        return self.begin_again(execution).run()

    def begin_again(self, execution: str, *, prepare: bool = True) -> Begun:
        """As ``begin``, for an execution that ``resume`` takes."""
        row = self._store.execution(execution)
        if row["status"] == "Succeeded":
            raise StoreError(f"execution {row['id']} has succeeded; there is nothing to resume")
        for image, target in row["options"]["map"].items():
            self._targets.mapped.setdefault(image, parse_target(target, self._targets.families))
        self._targets.as_images = row["options"].get("with") == "docker"
        document = _checked(row["definition"])
        run = self._run(
            document,
            row["pipeline"],
            resolve_parameters(document, row["parameters"]),
            row["id"],
            use_cache=row["options"]["cache"],
            started=row["started"],
        )
        planned = _plan(run)
        if prepare:
            self._prepare(planned)
        living = ExitStack()
        living.enter_context(self._store.living(row["id"]))
        self._store.state.update_execution(row["id"], status="Executing", failure=None, ended=None)
        for step in self._store.state.steps(row["id"]):
            if step["status"] != "Succeeded" and step["job"]:
                outputs.discard(self._store.objects, self._store.job_folder(step["job"]))
        return Begun(self, run, row["options"]["only"], living, () if prepare else planned)

    def _run(
        self,
        document: Document,
        pipeline: str,
        parameters: Mapping[str, Any],
        execution: str,
        *,
        use_cache: bool = True,
        started: float | None = None,
    ) -> Run:
        return Run(
            machine=self._machine,
            document=document,
            parameters=parameters,
            execution_id=execution,
            pipeline=pipeline,
            started=started or time.time(),
            stop=self.stop,
            watch=self._watch,
            use_cache=use_cache,
        )

    def _prepare(self, planned: Iterable[Planned]) -> None:
        self._targets.prepare(each.job.target for each in planned if each.job)

    def _finish(self, run: Run, only: str) -> Finished:
        began = time.monotonic()
        steps = run.document.all_steps()
        names = (only,) if only else tuple(step.name for step in steps)
        self._watch(events.ExecutionStarted(execution=run.execution_id, pipeline=run.pipeline, steps=names))
        with stopping_on_signals(self.stop, self._watch):
            reason = run_steps(run, names)
        return self._ended(run, reason, time.monotonic() - began)

    def _ended(self, run: Run, reason: str, seconds: float) -> Finished:
        status = "Failed" if reason else "Stopped" if self.stop.requested else "Succeeded"
        self._store.state.update_execution(
            run.execution_id, status=status, failure=reason or None, ended=time.time()
        )
        self._watch(
            events.ExecutionEnded(execution=run.execution_id, status=status, seconds=seconds, reason=reason)
        )
        return Finished(execution=run.execution_id, status=status, reason=reason)


class Begun:
    """An execution that is recorded as Executing; ``run`` runs it to its end, once."""

    def __init__(
        self, executor: Executor, run: Run, only: str, living: ExitStack, unprepared: Iterable[Planned]
    ) -> None:
        self.execution = run.execution_id
        self.stop = run.stop
        self._executor, self._run, self._only = executor, run, only
        self._living, self._unprepared = living, unprepared

    def run(self) -> Finished:
        with self._living:
            try:
                self._executor._prepare(self._unprepared)
            except UserError as error:
                return self._executor._ended(self._run, str(error), 0.0)
            return self._executor._finish(self._run, self._only)


def _checked(definition: Mapping[str, Any]) -> Document:
    document = documents.parse(dict(definition))
    for step in document.all_steps():
        for dependency in step.depends_on:
            if dependency.trigger != "Completed":
                raise Unsupported(
                    f"step {step.name!r}: DependsOn {dependency.step!r} with the trigger {dependency.trigger!r}; "
                    "only steps that wait for a success run here"
                )
    return document


def _plan(run: Run) -> list[Planned]:
    ignored = check_runnable(run.document, RULES)
    planned = []
    for name in order(run.document).sequence:
        step, job = run.document.by_name[name], None
        if kind := JOB_KINDS.get(step.type):
            job = plan_job(run, step, kind, jobs.job_name(run.execution_id, name), results=False)[1]
        planned.append(Planned(step=step, job=job, without_effect=ignored.get(name, ())))
    return planned


def _sources(run: Run, only: str) -> dict[str, Mapping[str, Any]]:
    """The newest result of each step that ``only`` refers to."""
    names = [step.name for step in run.document.all_steps()]
    if only not in names:
        raise NotFound(f"no step {only!r} in {run.pipeline}; there are: {', '.join(names)}")
    rows: dict[str, Mapping[str, Any]] = {}
    for name in sorted(order(run.document).dependencies[only]):
        row = run.store.state.last_result(run.pipeline, name)
        if row is None:
            raise NotFound(
                f"step {only!r} needs the result of {name!r}, which never succeeded here; run it first"
            )
        rows[name] = row
    return rows


def _take_over(run: Run, name: str, row: Mapping[str, Any]) -> None:
    run.store.state.start_step(
        run.execution_id,
        name,
        row["kind"],
        status="Succeeded",
        ended=time.time(),
        result=row["result"],
        metadata=row["metadata"],
        outputs=row["outputs"],
        cache_source=row["execution"],
        cache_note="taken from its newest run",
    )
