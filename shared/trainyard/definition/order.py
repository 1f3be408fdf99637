"""Which step waits for which: the dependencies of a definition and an order that respects them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainyard.errors import DefinitionError

if TYPE_CHECKING:
    from trainyard.definition.document import Document
    from trainyard.definition.steps import Step

COMPLETED = "Completed"
# For each step the steps it waits for, each with the trigger: how that one must have ended.
Edges = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """The steps of a definition in an order they can run in.

    The steps in the body of a ForEach step count as part of it and do not appear. ``branches`` has, for each
    step in a branch, the innermost condition that decides whether it runs, and the outcome it runs on.
    """

    sequence: tuple[str, ...]
    edges: Edges
    branches: Mapping[str, tuple[str, bool]]

    @property
    def dependencies(self) -> dict[str, frozenset[str]]:
        """For each step, in order, the steps that it waits for."""
        return {step: frozenset(self.edges[step]) for step in self.sequence}

    def ready(
        self,
        done: Set[str],
        *,
        failed: Set[str] = frozenset(),
        stopped: Set[str] = frozenset(),
        without: Set[str] = frozenset(),
    ) -> list[str]:
        """The steps that may start now, in order: everything they wait for has ended as they need it.

        ``done`` are the steps that succeeded, ``without`` those that started or shall not run at all
        (give it ``not_taken`` of every condition that has been decided).
        """
        ended = {COMPLETED: done, "Failed": failed, "Stopped": stopped, "Any": {*done, *failed, *stopped}}
        over = {*ended["Any"], *without}
        return [
            step
            for step in self.sequence
            if step not in over
            and all(upstream in ended[trigger] for upstream, trigger in self.edges[step].items())
        ]

    def not_taken(self, condition: str, outcome: bool) -> frozenset[str]:
        """The steps that never run once ``condition`` has come out as ``outcome``.

        The steps of the other branch, and everything that waits for one of them, wherever it lies.
        """
        other = {step for step, branch in self.branches.items() if branch == (condition, not outcome)}
        return frozenset(other | self.downstream(other))

    def downstream(self, steps: Set[str]) -> frozenset[str]:
        """Everything that waits for one of ``steps``, directly or not."""
        found: set[str] = set()
        for step in self.sequence:
            if any(upstream in steps or upstream in found for upstream in self.edges[step]):
                found.add(step)
        return frozenset(found)


def order(document: Document) -> Order:
    """The order of ``document``: among the steps that could come next, the first in the document does.

    Raises DefinitionError with the cycle if there is one.
    """
    waits = edges(document)
    cycle = find_cycle(waits)
    if cycle:
        raise DefinitionError(f"step {cycle[0]!r} needs itself: {' -> '.join(cycle)}")
    branches = {
        step.name: (step.parent.step, step.parent.branch == "if")
        for step in document.all_steps()
        if step.parent and step.name in waits
    }
    return Order(sequence=sequence(waits), edges=waits, branches=branches)


def edges(document: Document) -> dict[str, dict[str, str]]:
    """What each step waits for: its references, its DependsOn, and the condition whose branch it is in.

    Names that are no step are left out, because finding them is another check's task.
    """
    bodies = _bodies(document)
    waits: dict[str, dict[str, str]] = {name: {} for name in document.by_name if name not in bodies}
    for step in document.all_steps():
        mine = bodies.get(step.name, step.name)
        for name, trigger in _waits_for(step).items():
            upstream = bodies.get(name, name)
            if upstream in waits and not (upstream == mine and mine != name):
                waits[mine][upstream] = trigger
    return waits


def body_edges(for_each: Step) -> dict[str, dict[str, str]]:
    """What each step in the body of a ForEach step waits for within the same iteration."""
    names = [step.name for step in for_each.body_steps]
    return {
        step.name: {name: trigger for name, trigger in _waits_for(step).items() if name in names}
        for step in for_each.body_steps
    }


def _waits_for(step: Step) -> dict[str, str]:
    found = {get.name: COMPLETED for _, get in step.references if get.namespace == "Steps"}
    if step.type == "Cleanup":  # the SDK lists them in DependsOn as well
        found |= dict.fromkeys(cleaned(step), COMPLETED)
    found |= {dependency.step: dependency.trigger for dependency in step.depends_on}
    if step.parent and step.parent.branch != "body":
        found[step.parent.step] = COMPLETED
    return found


def cleaned(step: Step) -> list[str]:
    """The steps whose objects a Cleanup step deletes."""
    resources = step.arguments.get("Resources")
    sources = resources.get("S3") if isinstance(resources, dict) else None
    listed = sources if isinstance(sources, list) else []
    return [str(source["StepName"]) for source in listed if isinstance(source, dict) and "StepName" in source]


def find_cycle(waits: Edges) -> tuple[str, ...] | None:
    """One cycle, first step repeated at the end: ``("A", "B", "A")`` says that A needs B and B needs A."""
    blocked = set(waits) - set(sequence(waits))
    step = next((step for step in waits if step in blocked), None)
    path: list[str] = []
    while step is not None and step not in path:
        path.append(step)
        step = next(upstream for upstream in waits[step] if upstream in blocked)
    return None if step is None else (*path[path.index(step) :], step)


def sequence(waits: Edges) -> tuple[str, ...]:
    """Kahn's algorithm, the earlier in the document first; steps in or behind a cycle are left out."""
    place = {step: index for index, step in enumerate(waits)}
    names = list(waits)
    missing = {step: len(upstream) for step, upstream in waits.items()}
    dependents: dict[str, list[str]] = {step: [] for step in waits}
    for step, upstream in waits.items():
        for name in upstream:
            dependents[name].append(step)
    heap = [place[step] for step, count in missing.items() if count == 0]
    found: list[str] = []
    while heap:
        step = names[heapq.heappop(heap)]
        found.append(step)
        for dependent in dependents[step]:
            missing[dependent] -= 1
            if missing[dependent] == 0:
                heapq.heappush(heap, place[dependent])
    return tuple(found)


def _bodies(document: Document) -> dict[str, str]:
    """For each step in the body of a ForEach step, the ForEach step."""
    found: dict[str, str] = {}
    for step in document.all_steps():
        parent = step.parent
        if parent and (parent.branch == "body" or parent.step in found):
            found[step.name] = found.get(parent.step, parent.step)
    return found
