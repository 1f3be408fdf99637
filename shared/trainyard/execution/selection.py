"""Run some steps of a pipeline, on what an earlier execution made of the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.definition.document import Document
from trainyard.definition.order import Order, order
from trainyard.definition.steps import Step
from trainyard.errors import NotFound, UsageError
from trainyard.execution.run import Run

MOST = 50


@dataclass(frozen=True)
class Selection:
    """The steps to run, and the execution whose results stand for those that they need.

    Without a ``source``, the newest result of each stands. Source of the rules: AWS, "Selective execution of
    pipeline steps" and SelectiveExecutionConfig.
    """

    steps: tuple[str, ...]
    source: str = ""


def check(selection: Selection, document: Document, pipeline: str) -> None:
    """Raises NotFound for a step that there is not, UsageError for steps that cannot be selected together."""
    graph = order(document)
    if not 1 <= len(selection.steps) <= MOST:
        raise UsageError(f"{len(selection.steps)} steps are selected; possible: 1 to {MOST}")
    for name in selection.steps:
        if name not in document.by_name:
            known = ", ".join(graph.sequence)
            raise NotFound(f"no step {name!r} in {pipeline}; there are: {known}")
        if name not in graph.edges:
            raise UsageError(f"step {name!r} lies in the body of a ForEach step; select that one")
    between = _between(graph, set(selection.steps))
    if between:
        raise UsageError(
            f"selected steps must be connected: {', '.join(between)} lie on the way between "
            f"{', '.join(selection.steps)}; select them too"
        )


def _between(graph: Order, selected: set[str]) -> list[str]:
    """The steps that are not selected and lie between two that are."""
    needed: set[str] = set()
    for name in reversed(graph.sequence):
        if name in selected or name in needed:
            needed |= set(graph.edges[name])
    behind = graph.downstream(selected)
    return [name for name in graph.sequence if name in needed and name in behind and name not in selected]


def results(run: Run, selection: Selection) -> dict[str, Mapping[str, Any]]:
    """The row of each step that a selected one waits for and that shall not run itself.

    Raises NotFound for one whose properties are needed and that did not succeed.
    """
    graph = order(run.document)
    if selection.source:
        _check_source(run, selection.source)
    needed = {
        upstream: name
        for name in selection.steps
        for upstream in graph.edges[name]
        if upstream not in selection.steps
    }
    rows = {}
    for upstream in sorted(needed):
        row = _result(run, upstream, selection.source)
        if row is not None:
            rows[upstream] = row
        elif _refers(run.document.by_name[needed[upstream]], upstream):
            where = (
                f"did not succeed in execution {selection.source}"
                if selection.source
                else "never succeeded here"
            )
            raise NotFound(
                f"step {needed[upstream]!r} needs the result of {upstream!r}, which {where}; run it first"
            )
    return rows


def _check_source(run: Run, source: str) -> None:
    row = run.store.execution(source)
    if row["pipeline"] != run.pipeline:
        raise UsageError(
            f"execution {source} is one of the pipeline {row['pipeline']!r}; give one of {run.pipeline!r}"
        )
    if row["status"] in ("Executing", "Stopping"):
        raise UsageError(f"execution {source} is {row['status']}; give one that has ended")


def _result(run: Run, name: str, source: str) -> Mapping[str, Any] | None:
    if not source:
        return run.store.state.last_result(run.pipeline, name)
    row = run.store.state.step(source, name)
    return row if row and row["status"] == "Succeeded" else None


def _refers(step: Step, upstream: str) -> bool:
    return any(
        get.namespace == "Steps" and get.name == upstream
        for part in step.walk()
        for _, get in part.references
    )


def take_over(run: Run, name: str, row: Mapping[str, Any]) -> None:
    """Record the result of a step that does not run."""
    now = time.time()
    run.store.state.start_step(
        run.execution_id,
        name,
        row["kind"],
        status="Succeeded",
        started=now,
        ended=now,
        result=row["result"],
        metadata=row["metadata"],
        outputs=row["outputs"],
        selected_from=row["execution"],
    )
