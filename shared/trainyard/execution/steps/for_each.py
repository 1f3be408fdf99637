"""ForEach steps: their body once for each item, as steps of their own that are recorded as ``<body step>-<index>``.

A child that fails ends what waits for it in its own iteration; the other iterations go on, so that the counts of
the result are those of all items, and the ForEach step then fails. Source: for_each_step.py of the SageMaker
Python SDK v3, and ForEachStepMetadata and IterationContext of the service model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from trainyard.definition import expressions, for_each
from trainyard.definition.order import Order, body_edges, sequence
from trainyard.definition.problems import shown
from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import ExpressionError
from trainyard.execution.progress import Progress, advance
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.scope import Iteration
from trainyard.execution.slots import Slots

RULES = FieldRules(
    honoured=frozenset({"IterableItems", "MaxConcurrency", "Selector.Pick", "Selector.Field", "ForEachBody"})
)


def run(run: Run, step: Step) -> StepEnd:
    from trainyard.execution.step import run_step  # which runs every kind, this one too

    items = _items(run, step)
    body = frozenset(each.name for each in step.body_steps)
    slots = Slots(step.arguments["MaxConcurrency"], within=run.slots)
    turns = [
        replace(run, iteration=Iteration(step.name, index, item, body), slots=slots)
        for index, item in enumerate(items)
    ]
    tasks = {
        f"{each.name}-{index}": (turn, replace(each, name=f"{each.name}-{index}"))
        for index, turn in enumerate(turns)
        for each in step.body_steps
    }
    progress = Progress(_graph(step, len(items)), run.stop, halting=False)
    for name in _kept(run, tasks):
        progress.succeed(name)
    advance(progress, tasks, run_step)
    return _end(run, step, turns, tasks, progress)


def _items(run: Run, step: Step) -> list[Any]:
    """The items: a list of them, or a reference that stands for one as JSON text."""
    value = expressions.resolve(step.arguments["IterableItems"], run.scope())
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, list):
        raise ExpressionError(
            f'IterableItems is {shown(value)}; it must be a list, or text that is a JSON list: \'["a", "b"]\''
        )
    return value


def _graph(step: Step, count: int) -> Order:
    edges = {
        f"{name}-{index}": {f"{upstream}-{index}": trigger for upstream, trigger in waits.items()}
        for index in range(count)
        for name, waits in body_edges(step).items()
    }
    return Order(sequence=sequence(edges), edges=edges, branches={})


def _kept(run: Run, tasks: Mapping[str, tuple[Run, Step]]) -> list[str]:
    """The children that had succeeded, with the same item, before the execution was cut off or failed."""
    rows = {row["name"]: row for row in run.store.state.steps(run.execution_id)}
    return [
        name
        for name, (turn, _) in tasks.items()
        if name in rows
        and rows[name]["status"] == "Succeeded"
        and turn.iteration is not None
        and rows[name]["iteration"] == turn.iteration.context
    ]


def _end(
    run: Run,
    step: Step,
    turns: list[Run],
    tasks: Mapping[str, tuple[Run, Step]],
    progress: Progress,
) -> StepEnd:
    status, failure = progress.outcome()
    if status == "CompletedWithFailures":
        status = "Failed"
    counts = {
        "Status": status,
        "InputItemCount": len(turns),
        "TotalStepCount": len(tasks),
        "SucceededStepCount": len(progress.succeeded),
        "FailedStepCount": len(progress.failed),
        "StoppedStepCount": len(progress.stopped),
    }
    rows = {row["name"]: row["result"] for row in run.store.state.steps(run.execution_id)}
    outputs = [
        {each.name: rows.get(f"{each.name}-{index}") or {} for each in step.body_steps}
        for index in range(len(turns))
    ]
    result = {**counts, "IterationOutputs": outputs}
    metadata: dict[str, Any] = dict(counts)
    if status == "Succeeded" and "Selector" in step.arguments and turns:
        chosen, index = _selected(step.arguments["Selector"], turns)
        result["Selected"] = outputs[index][chosen]
        metadata["Selector"] = {"StepName": f"{chosen}-{index}", "Index": index}
    text = f"{counts['SucceededStepCount']} of {len(tasks)} steps for {len(turns)} items succeeded"
    return StepEnd(
        status=status,
        failure=f"{text}; {failure}" if failure else "",
        result=result,
        metadata={"ForEach": metadata},
        detail=text,
    )


def _selected(selector: Mapping[str, Any], turns: list[Run]) -> tuple[str, int]:
    """The body step and the iteration whose field is the greatest or least; of equal ones the first."""
    field = for_each.selector_field(selector)
    values = []
    for turn in turns:
        value = turn.scope().step_property(field.name, field.path)
        try:
            values.append(float(value))
        except (TypeError, ValueError) as error:
            raise ExpressionError(
                f"Selector.Field {field.text} is {shown(value)} in iteration {len(values)}; it must be a number"
            ) from error
    best = (max if selector["Pick"] == "MaxBy" else min)(values)
    return field.name, values.index(best)
