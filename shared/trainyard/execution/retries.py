"""Try a step again after a fault, as its RetryPolicies say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from trainyard.definition.policies import RetryPolicy
from trainyard.definition.steps import Step
from trainyard.errors import UserError
from trainyard.execution import events, faults
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.state import storable

# What SageMaker tries again by itself, unless a policy says otherwise; how often is not documented.
_DEFAULT = RetryPolicy(exception_types=(faults.SERVICE_FAULT, faults.THROTTLING), max_attempts=3)
# Tuning and AutoML start failed jobs again themselves, so the policies of their steps do not cover this.
_OWN_RETRIES = ("Tuning", "AutoML")
_LOOK = 0.05


class Patience:
    """How long a step's policies wait before each further attempt. ``MaxAttempts`` counts the further ones."""

    def __init__(self, step: Step, clock: Callable[[], float] = time.monotonic) -> None:
        self._policies = (*step.retry_policies, _DEFAULT)
        self._not_covered = faults.JOB_INTERNAL_ERROR if step.type in _OWN_RETRIES else ""
        self._clock = clock
        self._began = clock()
        self._used: Counter[RetryPolicy] = Counter()

    def pause(self, exception_type: str) -> float | None:
        """Seconds until the next attempt after a fault of this type; None where there is to be none."""
        policy = next((each for each in self._policies if exception_type in each.exception_types), None)
        if policy is None or exception_type == self._not_covered:
            return None
        used = self._used[policy]
        seconds = policy.interval_seconds * policy.backoff_rate**used
        if policy.max_attempts is not None and used >= policy.max_attempts:
            return None
        if policy.expire_after is not None:
            left = policy.expire_after.total_seconds() - (self._clock() - self._began)
            if seconds > left:
                return None
        self._used[policy] += 1
        return seconds


def attempts(run: Run, step: Step, work: Callable[[], StepEnd]) -> StepEnd:
    """The end of a step's last attempt; an expected failure of it is its end, not an exception."""
    patience = Patience(step)
    while True:
        try:
            return work()
        except UserError as error:
            failure = error
        except OSError as error:
            fault = faults.of_system(error)
            if fault is None:
                raise
            failure = fault
        kind = faults.exception_type(failure)
        seconds = patience.pause(kind) if kind else None
        text = storable(str(failure))
        if seconds is None or run.stop.requested:
            return StepEnd(status="Failed", failure=text)
        row = run.store.state.step(run.execution_id, step.name)
        number = (row["attempts"] if row else 1) + 1
        run.watch(
            events.Note(step=step.name, text=f"attempt {number} in {seconds:g} s, after {kind}: {text}")
        )
        if not _sleep(seconds, run.stop):
            return StepEnd(
                status="Stopped", failure=f"stopped while it waited for attempt {number}, after: {text}"
            )
        run.store.state.update_step(run.execution_id, step.name, attempts=number)


def _sleep(seconds: float, stop: StopSignal) -> bool:
    """Whether the time passed without a stop."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if stop.requested:
            return False
        time.sleep(min(left, _LOOK))
    return not stop.requested
