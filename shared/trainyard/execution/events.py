"""What an executor tells whoever watches it; every event is a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExecutionStarted:
    execution: str
    pipeline: str
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    step: str
    kind: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class StepEnded:
    """``cached_from`` is the execution whose result was taken, or empty. ``seconds`` is wall time."""

    step: str
    kind: str
    status: str
    seconds: float
    reason: str = ""
    cached_from: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Note:
    step: str
    text: str


@dataclass(frozen=True, kw_only=True)
class MetricSeen:
    step: str
    host: str
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class LogLine:
    step: str
    host: str
    line: str


@dataclass(frozen=True, kw_only=True)
class ExecutionEnded:
    execution: str
    status: str
    seconds: float
    reason: str = ""


Event = ExecutionStarted | StepStarted | StepEnded | Note | MetricSeen | LogLine | ExecutionEnded
Watcher = Callable[[Event], None]


def nobody(event: Event) -> None:
    """A watcher that does not look."""
