"""Run the steps of an execution in parallel, each once everything that it waits for has ended as it needs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainyard.definition.order import COMPLETED, Order, order
from trainyard.execution import events
from trainyard.execution.progress import Progress, advance
from trainyard.execution.request import DEFAULT_GRACE_SECONDS, StopSignal
from trainyard.execution.run import Run
from trainyard.execution.step import run_step

_STOPPING = (
    f"stopping: the jobs have {DEFAULT_GRACE_SECONDS:g} s to save their work; Ctrl-C again ends them at once"
)


def run_steps(run: Run, names: tuple[str, ...]) -> tuple[str, str]:
    """Run the named steps, each once everything it waits for has ended as it needs; the status, and why it is that."""
    steps = run.document.by_name
    graph = order(run.document)
    progress = Progress(graph, run.stop, without=set(graph.sequence) - set(names))

    def decide(name: str, result: Mapping[str, Any] | None) -> None:
        if steps[name].type == "Condition" and name in names:  # one that is only taken over decides nothing
            progress.exclude(graph.not_taken(name, (result or {}).get("Outcome") == "True"))

    rows = {row["name"]: row for row in run.store.state.steps(run.execution_id)}
    for name in _kept(graph, rows):
        progress.succeed(name)
        decide(name, rows[name]["result"])
    advance(progress, {name: (run, steps[name]) for name in graph.sequence}, run_step, decide)
    return progress.outcome()


def _kept(graph: Order, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The steps whose success stands when an execution goes on: not what ran for a failure that may now not be."""
    stale = {
        step
        for step in graph.sequence
        for upstream, trigger in graph.edges[step].items()
        if trigger != COMPLETED and upstream in rows and rows[upstream]["status"] != "Succeeded"
    }
    stale |= graph.downstream(stale)
    return [
        step
        for step in graph.sequence
        if step not in stale and step in rows and rows[step]["status"] == "Succeeded"
    ]


@contextmanager
def stopping_on_signals(stop: StopSignal, watch: events.Watcher) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the jobs instead of this process, which goes on to record it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores

    def on_signal(number: int, frame: object) -> None:
        stop.request()
        text = "ending the jobs at once" if stop.hurried else _STOPPING
        watch(events.Note(step="", text=text))

    before = {number: signal.signal(number, on_signal) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
