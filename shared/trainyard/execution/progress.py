"""How far the steps of a graph have come: which may start, which are running, what they all end with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from trainyard.definition.order import Order
from trainyard.definition.steps import Step
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run, StepEnd

_THREADS = 128  # waiting for a slot, most of the time


class Progress:
    """How far the steps of a graph have come, and which of them may start next.

    With ``halting``, a failure that no step is triggered by lets only those start that other failures trigger,
    and what comes behind these.
    """

    def __init__(
        self, graph: Order, stop: StopSignal, *, without: Set[str] = frozenset(), halting: bool = True
    ) -> None:
        self._graph, self._stop, self._halting = graph, stop, halting
        self._lock = threading.Lock()
        self._without = set(without)
        self.succeeded: set[str] = set()
        self.failed: dict[str, str] = {}
        self.stopped: dict[str, str] = {}
        self.started: set[str] = set()

    def succeed(self, step: str) -> None:
        with self._lock:
            self.succeeded.add(step)

    def exclude(self, steps: Set[str]) -> None:
        with self._lock:
            self._without |= steps

    def end(self, step: str, end: StepEnd) -> None:
        with self._lock:
            if end.status == "Succeeded":
                self.succeeded.add(step)
            else:
                ended = self.stopped if end.status == "Stopped" else self.failed
                ended[step] = end.failure or f"it {end.status.lower()}"

    def next(self) -> list[str]:
        """The steps to start now; each is named once."""
        with self._lock:
            if self._stop.requested:
                return []
            ready = self._graph.ready(
                self.succeeded, failed=set(self.failed), stopped=set(self.stopped), without=self._without
            )
            chosen = [step for step in ready if self._may_start(step)]
            self._without |= set(chosen)
            self.started |= set(chosen)
            return chosen

    def begins(self, step: str) -> bool:
        """Whether a step that waited for its turn is still to start."""
        with self._lock:
            if not self._stop.requested and self._may_start(step):
                return True
            self.started.discard(step)
            return False

    def _may_start(self, step: str) -> bool:
        if not self._halting:
            return True
        bad = self._ended_badly()
        if not any(self._triggered(each).isdisjoint(self._expected()) for each in bad):
            return True
        triggered = {name for each in bad for name in self._triggered(each)}
        return step in triggered or step in self._graph.downstream(triggered)

    def _ended_badly(self) -> dict[str, str]:
        return self.failed if self._stop.requested else {**self.failed, **self.stopped}

    def _expected(self) -> set[str]:
        return self.started | (set(self._graph.sequence) - self._without)

    def _triggered(self, step: str) -> set[str]:
        """The steps that a step's failure, or its being stopped, starts."""
        triggers = ("Failed" if step in self.failed else "Stopped", "Any")
        return {name for name, edges in self._graph.edges.items() if edges.get(step) in triggers}

    def outcome(self) -> tuple[str, str]:
        """The status that all of it ends with, and why."""
        bad = self._ended_badly()
        unhandled = {
            step: text for step, text in bad.items() if self._triggered(step).isdisjoint(self.started)
        }
        reason = "; ".join(f"step {step}: {text}" for step, text in (unhandled or bad).items())
        if unhandled:
            return "Failed", reason
        if self._stop.requested:
            return "Stopped", ""
        return ("CompletedWithFailures", reason) if bad else ("Succeeded", "")


def advance(
    progress: Progress,
    tasks: Mapping[str, tuple[Run, Step]],
    work: Callable[[Run, Step], StepEnd],
    decide: Callable[[str, Mapping[str, Any] | None], None] = lambda name, result: None,
) -> None:
    """Do the ``work`` of steps until none may start any more and all have ended; ``decide`` hears of each success."""
    running: dict[Future[StepEnd | None], str] = {}
    with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="step") as pool:
        while True:
            for name in progress.next():
                running[pool.submit(_task, progress, name, *tasks[name], work)] = name
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                try:
                    name, end = running.pop(future), future.result()
                except BaseException:  # a bug of ours: the other jobs shall not run on for nobody
                    next(iter(tasks.values()))[0].stop.request()
                    raise
                if end is not None and end.status == "Succeeded":
                    progress.end(name, end)
                    decide(name, end.result)


def _task(
    progress: Progress, name: str, run: Run, step: Step, work: Callable[[Run, Step], StepEnd]
) -> StepEnd | None:
    with run.slots.taken_by(step.type):
        end = work(run, step) if progress.begins(name) else None
        if end is not None and end.status != "Succeeded":
            progress.end(name, end)  # before the slot is free, so that whoever gets it knows
        return end
