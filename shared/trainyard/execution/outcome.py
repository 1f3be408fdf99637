"""How a job ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trainyard.execution.attempts import Attempt
from trainyard.execution.request import Ended, JobRequest


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """How a job ended. Times are in seconds since 1970; ``failure`` is the FailureReason, or empty."""

    request: JobRequest
    ended: Ended
    attempts: tuple[Attempt, ...]
    ended_at: float
    metrics: list[dict[str, Any]] = field(default_factory=list)
    stored: dict[str, list[int]] = field(default_factory=dict)
    failure: str = ""
    message: str = ""

    @property
    def started(self) -> float:
        return self.attempts[0].started

    @property
    def status(self) -> str:
        if self.ended.stopped:
            return "Stopped"
        return "Failed" if self.failure else "Completed"
