"""Run pipeline executions: check everything first, then steps in parallel as soon as they can, recorded as they end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.definition import document as documents
from trainyard.definition.document import Document
from trainyard.definition.order import order
from trainyard.definition.parameters import resolve_parameters
from trainyard.definition.runnable import check_runnable
from trainyard.definition.steps import Step
from trainyard.errors import NotFound, StoreError, Unsupported
from trainyard.execution import events, jobs, outputs
from trainyard.execution.request import JobRequest, Launcher, StopSignal
from trainyard.execution.schedule import run_steps, stopping_on_signals
from trainyard.execution.step import Run, plan_job
from trainyard.execution.steps import JOB_KINDS, RULES
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
        self, store: Store, launcher: Launcher, targets: Targets, watch: events.Watcher = events.nobody
    ) -> None:
        self._store = store
        self._launcher = launcher
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
        document = _checked(definition)
        values = resolve_parameters(document, parameters)
        run = self._run(document, pipeline, values, new_execution_id(), use_cache=use_cache and not only)
        planned = _plan(run)
        sources = _sources(run, only) if only else {}
        self._prepare(each for each in planned if only in ("", each.step.name))
        options = {
            "with": "docker" if self._targets.as_images else "venv",
            "map": {image: str(target) for image, target in self._targets.mapped.items()},
            "only": only,
            "cache": run.use_cache,
        }
        with self._store.living(run.execution_id):
            self._store.state.add_execution(
                run.execution_id, pipeline, dict(definition), dict(parameters), options
            )
            for name, row in sources.items():
                _take_over(run, name, row)
            return self._finish(run, only)

    def resume(self, execution: str) -> Finished:
        """Go on with an execution that failed, was stopped or was cut off; what succeeded stays.

        Raises NotFound, or StoreError when it is running or has nothing left to do.
        """
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
        self._prepare(_plan(run))
        with self._store.living(row["id"]):
            self._store.state.update_execution(row["id"], status="Executing", failure=None, ended=None)
            for step in self._store.state.steps(row["id"]):
                if step["status"] != "Succeeded" and step["job"]:
                    outputs.discard(self._store.objects, self._store.job_folder(step["job"]))
            return self._finish(run, row["options"]["only"])

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
            store=self._store,
            launcher=self._launcher,
            targets=self._targets,
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
        status = "Failed" if reason else "Stopped" if self.stop.requested else "Succeeded"
        self._store.state.update_execution(
            run.execution_id, status=status, failure=reason or None, ended=time.time()
        )
        self._watch(
            events.ExecutionEnded(
                execution=run.execution_id, status=status, seconds=time.monotonic() - began, reason=reason
            )
        )
        return Finished(execution=run.execution_id, status=status, reason=reason)


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
        if step.type in JOB_KINDS:
            job = plan_job(run, step, jobs.job_name(run.execution_id, name), results=False)[1]
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
