"""Run the steps of an execution in parallel, each once everything that it needs has succeeded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from trainyard.definition.order import order
from trainyard.execution import events
from trainyard.execution.request import DEFAULT_GRACE_SECONDS, StopSignal
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.step import run_step

_STOPPING = (
    f"stopping: the jobs have {DEFAULT_GRACE_SECONDS:g} s to save their work; Ctrl-C again ends them at once"
)


def run_steps(run: Run, names: tuple[str, ...]) -> str:
    """Run the named steps, each once everything it needs has succeeded; why the execution failed, or nothing."""
    steps = run.document.by_name
    graph = order(run.document)
    succeeded: set[str] = set()
    without = set(graph.sequence) - set(names)
    running: dict[Future[StepEnd], str] = {}
    failures: list[str] = []

    def succeed(name: str, result: Mapping[str, Any] | None) -> None:
        succeeded.add(name)
        if steps[name].type == "Condition" and name in names:  # one that is only taken over decides nothing
            without.update(graph.not_taken(name, (result or {}).get("Outcome") == "True"))

    for row in run.store.state.steps(run.execution_id):
        if row["status"] == "Succeeded":
            succeed(row["name"], row["result"])
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="step") as pool:
        while True:
            if not failures and not run.stop.requested:
                for name in graph.ready(succeeded, without=without):
                    without.add(name)
                    running[pool.submit(run_step, run, steps[name])] = name
            if not running:
                return "; ".join(failures)
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                try:
                    name, end = running.pop(future), future.result()
                except BaseException:  # a bug of ours: the other jobs shall not run on for nobody
                    run.stop.request()
                    raise
                if end.status == "Succeeded":
                    succeed(name, end.result)
                elif end.status == "Failed":
                    failures.append(f"step {name}: {end.failure}")


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
