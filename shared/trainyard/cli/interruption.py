"""``--interrupt STEP@SECONDS``: take a spot training step's instance away once, to see it go on from its checkpoint."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from trainyard.errors import UsageError, UserError
from trainyard.execution.events import Event, ExecutionStarted, Note, StepStarted, Watcher

if TYPE_CHECKING:
    from trainyard.execution.planning import Planned
    from trainyard.execution.store import Store


class Interruption(NamedTuple):
    """``seconds`` are counted from the start of the step."""

    step: str
    seconds: float


def parse(text: str) -> Interruption:
    """Read ``STEP@SECONDS``, as an argparse type."""
    step, at, seconds = text.rpartition("@")
    try:
        found = Interruption(step, float(seconds))
    except ValueError:
        found = Interruption("", 0)
    if not at or not found.step or not 0 <= found.seconds <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: write STEP@SECONDS, for example Train@5")
    return found


def check(interruptions: Sequence[Interruption], planned: Sequence[Planned]) -> None:
    """Raises UsageError for a step that keeps its instances, or is named twice."""
    names = [interruption.step for interruption in interruptions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"--interrupt {twice[0]}@...: given more than once; a step is interrupted once")
    spot = [each.step.name for each in planned if each.job and each.job.spot]
    for interruption in interruptions:
        if interruption.step not in spot:
            raise UsageError(
                f"--interrupt {interruption.step}@{interruption.seconds:g}: no such step of managed spot training "
                f"(EnableManagedSpotTraining); there are: {', '.join(spot) or 'none'}"
            )


def interrupting(interruptions: Sequence[Interruption], store: Store, watch: Watcher) -> Watcher:
    """A watcher that also interrupts each of the steps, once."""
    waiting = dict(interruptions)
    execution = ""

    def fire(step: str) -> None:
        try:
            row = store.state.step(execution, step)
            store.recorder.interrupt(row["job"] if row and row["job"] else "")
            watch(Note(step=step, text="interrupted: its instance is taken away"))
        except UserError as error:
            watch(Note(step=step, text=f"not interrupted: {error}"))

    def look(event: Event) -> None:
        nonlocal execution
        watch(event)
        if isinstance(event, ExecutionStarted):
            execution = event.execution
        elif isinstance(event, StepStarted) and event.step in waiting:
            timer = threading.Timer(waiting.pop(event.step), fire, [event.step])
            timer.daemon = True
            timer.start()

    return look
