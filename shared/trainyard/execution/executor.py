"""Run pipeline executions: check everything first, then steps in parallel as soon as they can, recorded as they end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

from trainyard.definition import document as documents
from trainyard.definition.order import order
from trainyard.definition.parameters import resolve_parameters
from trainyard.errors import StoreError, UsageError
from trainyard.execution import events, outputs, planning, selection
from trainyard.execution.begun import Begun, Finished, prepare
from trainyard.execution.hosts import Hosts
from trainyard.execution.machine import Machine
from trainyard.execution.planning import Planned
from trainyard.execution.request import Launcher, StopSignal
from trainyard.execution.run import CacheMode, Run
from trainyard.execution.selection import Selection
from trainyard.execution.slots import Slots
from trainyard.execution.store import Store, new_execution_id
from trainyard.execution.targets import Targets, parse_target

_EARLIER = {True: "content", False: "off"}  # as earlier versions recorded it


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
        hosts: Hosts | None = None,
    ) -> None:
        self._store = store
        self._machine = Machine(
            store=store, launcher=launcher, targets=targets, endpoint_url=endpoint_url, hosts=hosts
        )
        self._targets = targets
        self.watch = watch
        self.stop = StopSignal()

    @property
    def endpoint_url(self) -> str:
        """Where jobs and functions of what is started from now on find the local AWS endpoint; empty: there is none."""
        return self._machine.endpoint_url

    @endpoint_url.setter
    def endpoint_url(self, url: str) -> None:
        self._machine = replace(self._machine, endpoint_url=url)

    def plan(
        self, definition: Mapping[str, Any], pipeline: str, parameters: Mapping[str, Any]
    ) -> list[Planned]:
        """Every step in order, with the job that it would be; values that only a run gives are ``${...}``.

        Raises DefinitionError, ParameterError or Unsupported for what could not run.
        """
        return planning.plan(self._run(definition, pipeline, parameters, new_execution_id()))

    def start(
        self,
        definition: Mapping[str, Any],
        pipeline: str,
        parameters: Mapping[str, Any],
        *,
        parallel: int | None = None,
        selected: Selection | None = None,
        cache: CacheMode = "content",
    ) -> Finished:
        """``begin``, and run it to its end."""
        begun = self.begin(
            definition, pipeline, parameters, parallel=parallel, selected=selected, cache=cache
        )
        return begun.run()

    def begin(
        self,
        definition: Mapping[str, Any],
        pipeline: str,
        parameters: Mapping[str, Any],
        *,
        parallel: int | None = None,
        selected: Selection | None = None,
        cache: CacheMode = "content",
        prepare: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> Begun:
        """Record a new execution, which the answer's ``run`` then runs, in any thread.

        ``parallel`` is MaxParallelExecutionSteps; ``selected`` runs only some steps, which are not taken from
        the cache. Raises what ``plan`` and ``selection`` raise, with nothing recorded. Without ``prepare``,
        environments and images are made by ``run``, and failing to is how the execution ends. ``options`` are
        kept with it.
        """
        if parallel is not None and parallel < 1:
            raise UsageError(f"{parallel} steps in parallel are not possible; give 1 or more")
        mode: CacheMode = "off" if selected else cache
        run = self._run(definition, pipeline, parameters, new_execution_id(), parallel=parallel, cache=mode)
        if selected:
            selection.check(selected, run.document, pipeline)
        planned = planning.plan(run)
        rows = selection.results(run, selected) if selected else {}
        kept = {
            **(options or {}),
            "with": "docker" if self._targets.as_images else "venv",
            "map": {image: str(target) for image, target in self._targets.mapped.items()},
            "selected": asdict(selected) if selected else None,
            "parallel": parallel,
            "cache": mode,
        }
        names = _names(run, selected)
        unprepared = self._prepared(run, planning.only(planned, names), prepare)
        living = ExitStack()
        living.enter_context(self._store.living(run.execution_id))
        self._store.state.add_execution(run.execution_id, pipeline, dict(definition), dict(parameters), kept)
        for name, row in rows.items():
            selection.take_over(run, name, row)
        return Begun(run, names, living, unprepared)

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
        options = row["options"]
        for image, target in options["map"].items():
            self._targets.mapped.setdefault(image, parse_target(target, self._targets.families))
        self._targets.as_images = options.get("with") == "docker"
        kept = options.get("selected")
        selected = Selection(tuple(kept["steps"]), kept["source"]) if kept else None
        run = self._run(
            row["definition"],
            row["pipeline"],
            row["parameters"],
            row["id"],
            parallel=options.get("parallel"),
            cache=_EARLIER.get(options["cache"], options["cache"]),
            started=row["started"],
        )
        names = _names(run, selected)
        unprepared = self._prepared(run, planning.only(planning.plan(run), names), prepare)
        living = ExitStack()
        living.enter_context(self._store.living(row["id"]))
        self._store.state.update_execution(row["id"], status="Executing", failure=None, ended=None)
        for step in self._store.state.steps(row["id"]):
            if step["status"] != "Succeeded" and step["job"]:
                outputs.discard(self._store.objects, self._store.job_folder(step["job"]))
        return Begun(run, names, living, unprepared)

    def _run(
        self,
        definition: Mapping[str, Any],
        pipeline: str,
        parameters: Mapping[str, Any],
        execution: str,
        *,
        parallel: int | None = None,
        cache: CacheMode = "content",
        started: float | None = None,
    ) -> Run:
        document = documents.parse(dict(definition))
        return Run(
            machine=self._machine,
            document=document,
            parameters=resolve_parameters(document, parameters),
            execution_id=execution,
            pipeline=pipeline,
            started=started or time.time(),
            stop=self.stop,
            watch=self.watch,
            cache=cache,
            slots=Slots(parallel),
        )

    def _prepared(self, run: Run, planned: list[Planned], now: bool) -> list[Planned]:
        """Prepares the planned jobs ``now``, or gives them back."""
        if now:
            prepare(run, planned)
            return []
        return planned


def _names(run: Run, selected: Selection | None) -> tuple[str, ...]:
    """The steps that run, in the order of the document."""
    graph = order(run.document)
    chosen = selected.steps if selected else graph.sequence
    return tuple(
        step.name for step in run.document.all_steps() if step.name in graph.edges and step.name in chosen
    )
