"""Show a run while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from trainyard.execution.events import (
    Event,
    ExecutionEnded,
    ExecutionStarted,
    LogLine,
    MetricSeen,
    Note,
    StepEnded,
    StepStarted,
    Watcher,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

_PLAIN_EVERY = 2.0
_WIDEST_LINE = 100
_LONGEST = 10_000  # more of a line is not looked at
_METRIC = re.compile(r"(?<![\w:])[\w:]++=[-+.\w]++;")  # linear, however long a line is


@dataclass
class Seen:
    """What is known of one step."""

    name: str
    status: str = ""
    began: float = 0.0
    seconds: float = 0.0
    note: str = ""
    line: str = ""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)

    def progress(self) -> tuple[str, float, float] | None:
        """What is counted, how much is done and of how much, from metrics ``x:done`` and ``x:total`` of all hosts."""
        for name, hosts in self.metrics.items():
            what, _, part = name.rpartition(":")
            total = sum(self.metrics.get(f"{what}:total", {}).values())
            if part == "done" and total:
                return what, sum(hosts.values()), total
        return None


class Board:
    """Takes events from any thread and keeps what there is to show."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal may be told about in the middle of another event
        self.title = ""
        self.busy = ""
        self.steps: dict[str, Seen] = {}

    def take(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, ExecutionStarted):
                self.title, self.busy = f"{event.pipeline}  execution {event.execution}", ""
                self.steps = {name: Seen(name) for name in event.steps}
            elif isinstance(event, Note) and not event.step:
                self.busy = event.text
            elif not isinstance(event, ExecutionEnded):
                self._take_step(self.steps.setdefault(event.step, Seen(event.step)), event)

    def _take_step(self, seen: Seen, event: Event) -> None:
        if isinstance(event, StepStarted):
            seen.status, seen.began = "Executing", time.monotonic()
        elif isinstance(event, Note):
            seen.note = seen.line = event.text
        elif isinstance(event, MetricSeen):
            seen.metrics.setdefault(event.name, {})[event.host] = event.value
        elif isinstance(event, LogLine):
            seen.line = without_metrics(event.line) or seen.line
        elif isinstance(event, StepEnded):
            seen.status, seen.seconds = event.status, event.seconds
            seen.note = ending(event)


def without_metrics(line: str) -> str:
    """What a line says besides ``name=value;``."""
    return _METRIC.sub("", line[:_LONGEST]).strip()


def ending(event: StepEnded) -> str:
    """Why a step ended as it did, in a few words."""
    if event.cached_from:
        return f"from the cache: {event.detail} (execution {event.cached_from})"
    return event.reason or event.detail


@contextmanager
def watching(*, to_stderr: bool = False) -> Iterator[Watcher]:
    """A watcher that shows what it is told until the block ends; on stderr where stdout is for JSON."""
    stream = sys.stderr if to_stderr else sys.stdout
    if stream.isatty():
        with _live(stream) as watcher:
            yield watcher
    else:
        yield Plain(stream).take


class Plain:
    """A line for each event that matters, and for the progress of a step now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._board = Board()
        self._said: dict[str, float] = {}

    def take(self, event: Event) -> None:
        self._board.take(event)
        text = self._text(event)
        if text:
            with self._board.lock:
                self._stream.write(f"{text}\n")
                self._stream.flush()

    def _text(self, event: Event) -> str:
        if isinstance(event, ExecutionStarted):
            return f"{event.pipeline}: execution {event.execution}"
        if isinstance(event, StepStarted):
            return f"{event.step}: started"
        if isinstance(event, Note):
            return f"{event.step}: {event.text}" if event.step else event.text
        if isinstance(event, StepEnded):
            reason = ending(event)
            return f"{event.step}: {event.status} in {event.seconds:.1f} s{f', {reason}' if reason else ''}"
        if isinstance(event, LogLine):
            return self._progress(event)
        return ""

    def _progress(self, event: LogLine) -> str:
        counted = self._board.steps[event.step].progress()
        now = time.monotonic()
        if counted is None or now - self._said.get(event.step, 0.0) < _PLAIN_EVERY:
            return ""
        self._said[event.step] = now
        what, done, total = counted
        return f"{event.step}: {done:.0f}/{total:.0f} {what}  {without_metrics(event.line)[:_WIDEST_LINE]}".rstrip()


@contextmanager
def _live(stream: TextIO) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.live import Live

    board = Board()
    console = Console(file=stream, highlight=False)
    with Live(get_renderable=lambda: _render(board), console=console, refresh_per_second=8, transient=False):
        try:
            yield board.take
        finally:
            board.busy = ""  # or what was being done when it failed would stay on the screen as if it went on


_MARKS = {
    "Succeeded": ("✓", "green"), "Failed": ("✗", "red"), "Stopped": ("■", "yellow"), "Executing": ("▶", "cyan"),
}  # fmt: skip


def _render(board: Board) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    with board.lock:
        table = Table.grid(padding=(0, 2))
        for column in ("mark", "step", "time"):
            table.add_column(column, no_wrap=True, justify="right" if column == "time" else "left")
        table.add_column("what")  # alone in giving way where the terminal is narrow; its cells do not wrap
        for seen in board.steps.values():
            mark, colour = _MARKS.get(seen.status, ("·", "dim"))
            running = seen.status == "Executing"
            seconds = time.monotonic() - seen.began if running else seen.seconds
            counted = seen.progress() if running else None
            what: RenderableType = Text(
                seen.line if running else seen.note,
                style="dim" if running else "",
                no_wrap=True,
                overflow="ellipsis",
            )
            if counted:
                name, done, total = counted
                what = Table.grid(padding=(0, 1))
                what.add_row(
                    ProgressBar(total=total, completed=done, width=24), f"{done:.0f}/{total:.0f} {name}",
                    Text(seen.line, style="dim", no_wrap=True, overflow="ellipsis"),
                )  # fmt: skip
            clock = f"{seconds:.1f} s" if seen.status else ""
            table.add_row(Text(mark, style=colour), Text(seen.name, style="bold"), clock, what)
        parts: list[RenderableType] = [Text(board.title, style="bold")] if board.title else []
        parts += [Spinner("dots", text=board.busy)] if board.busy else []
        return Group(*parts, *([table] if board.steps else []))
