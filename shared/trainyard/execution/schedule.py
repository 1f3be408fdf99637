"""Run the steps of an execution in parallel, each once everything that it needs has succeeded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from trainyard.definition.order import Order, order
from trainyard.execution import events
from trainyard.execution.request import DEFAULT_GRACE_SECONDS, StopSignal
from trainyard.execution.step import Run, StepEnd, run_step

_STOPPING = (
    f"stopping: the jobs have {DEFAULT_GRACE_SECONDS:g} s to save their work; Ctrl-C again ends them at once"
)


def run_steps(run: Run, names: tuple[str, ...]) -> str:
    """Run the named steps, each once everything it needs has succeeded; why the execution failed, or nothing."""
    steps = run.document.by_name
    graph = order(run.document)
    succeeded = {
        row["name"] for row in run.store.state.steps(run.execution_id) if row["status"] == "Succeeded"
    }
    waiting = [name for name in graph.sequence if name in names and name not in succeeded]
    running: dict[Future[StepEnd], str] = {}
    failures: list[str] = []
    alone = len(names) == 1
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="step") as pool:
        while True:
            if not failures and not run.stop.requested:
                for name in [name for name in waiting if _can_start(run, graph, name, succeeded, alone)]:
                    waiting.remove(name)
                    running[pool.submit(run_step, run, steps[name])] = name
            if not running:
                return "; ".join(failures)
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                name, end = running.pop(future), future.result()
                if end.status == "Succeeded":
                    succeeded.add(name)
                elif end.status == "Failed":
                    failures.append(f"step {name}: {end.failure}")


def _can_start(run: Run, graph: Order, name: str, succeeded: set[str], alone: bool) -> bool:
    if not graph.dependencies[name] <= succeeded:
        return False
    branch = graph.branch_of(name)
    if branch is None or alone:
        return True
    condition, wanted = branch
    row = run.store.state.step(run.execution_id, condition)
    return row is not None and (row["result"] or {}).get("Outcome") == str(wanted)


@contextmanager
def stopping_on_signals(stop: StopSignal, watch: events.Watcher) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the jobs instead of this process, which goes on to record it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def on_signal(number: int, frame: object) -> None:
        stop.request()
        text = "ending the jobs at once" if stop.hurried else _STOPPING
        watch(events.Note(step="", text=text))

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
