from __future__ import annotations

import pytest

from trainyard.execution.attempts import Attempt
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Ended, JobRequest
from trainyard.execution.targets import Target

REQUEST = JobRequest(name="j", kind="Training", image="i", target=Target("venv", "/v"))


@pytest.mark.parametrize(
    ("ended", "failure", "status"),
    [
        (Ended(exit_codes=(0,)), "", "Completed"),
        (Ended(exit_codes=(0, 1)), "AlgorithmError", "Failed"),
        (Ended(exit_codes=(0,)), "outputs could not be stored", "Failed"),
        (Ended(exit_codes=(143,), stopped="Stopped"), "the job was stopped", "Stopped"),
        (Ended(exit_codes=(137,), stopped="MaxRuntimeExceeded"), "too long", "Stopped"),
    ],
)
def test_the_status_is_how_it_ended(ended, failure, status) -> None:
    attempts = (Attempt(started=1.0, ended=2.0, interrupted=True), Attempt(started=3.0, ended=4.0))
    outcome = JobOutcome(request=REQUEST, ended=ended, attempts=attempts, ended_at=5.0, failure=failure)
    assert outcome.status == status
    assert outcome.started == 1.0
