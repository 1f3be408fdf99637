from __future__ import annotations

import errno
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from trainyard.definition.document import parse
from trainyard.definition.policies import RetryPolicy
from trainyard.definition.steps import Step
from trainyard.errors import DockerError, StoreBusy
from trainyard.execution import events, faults
from trainyard.execution.executor import Executor
from trainyard.execution.request import Ended
from trainyard.execution.retries import Patience
from trainyard.execution.targets import Target, Targets

INTERNAL = faults.JOB_INTERNAL_ERROR


def step(*policies: RetryPolicy, kind: str = "Training") -> Step:
    return Step(name="S", type=kind, arguments={}, own={}, retry_policies=policies)


def test_intervals_grow_and_the_attempts_are_counted_for_each_policy() -> None:
    internal = RetryPolicy(exception_types=(INTERNAL,), interval_seconds=2, backoff_rate=3.0, max_attempts=3)
    limit = RetryPolicy(exception_types=(faults.RESOURCE_LIMIT, INTERNAL), interval_seconds=7, max_attempts=1)
    patience = Patience(step(internal, limit))
    assert [patience.pause(INTERNAL) for _ in range(4)] == [2, 6, 18, None]  # the first policy that names it
    assert [patience.pause(faults.RESOURCE_LIMIT) for _ in range(2)] == [7, None]
    assert patience.pause(faults.CAPACITY_ERROR) is None


def test_time_runs_out() -> None:
    now = [0.0]
    policy = RetryPolicy(
        exception_types=(INTERNAL,), interval_seconds=50, backoff_rate=1.0, expire_after=timedelta(minutes=2)
    )
    patience = Patience(step(policy), clock=lambda: now[0])
    pauses = []
    for now[0] in (0.0, 60.0, 90.0):
        pauses.append(patience.pause(INTERNAL))
    assert pauses == [50, 50, None]  # an attempt at 140 s would be too late


def test_service_faults_and_throttling_are_tried_again_without_a_policy() -> None:
    assert [Patience(step()).pause(kind) for kind in (faults.SERVICE_FAULT, faults.THROTTLING)] == [1, 1]
    own = RetryPolicy(exception_types=(faults.THROTTLING,), interval_seconds=9, max_attempts=1)
    patience = Patience(step(own))
    assert [patience.pause(faults.THROTTLING) for _ in range(2)] == [9, None]


def test_tuning_starts_its_jobs_again_itself() -> None:
    policy = RetryPolicy(exception_types=(INTERNAL, faults.CAPACITY_ERROR), max_attempts=1)
    patience = Patience(step(policy, kind="Tuning"))
    assert patience.pause(INTERNAL) is None
    assert patience.pause(faults.CAPACITY_ERROR) == 1


class Unsteady:
    """A launcher that raises what it is given, one after the other, and then ends its jobs well."""

    def __init__(self, *errors: BaseException, ended: Ended | None = None) -> None:
        self.errors = list(errors)
        self.ended = ended or Ended(exit_codes=(0,))
        self.jobs: list[str] = []

    def __call__(self, request: Any, hosts: Any, stop: Any, tick: Any) -> Ended:
        self.jobs.append(request.name)
        if self.errors:
            raise self.errors.pop(0)
        return self.ended


@pytest.fixture
def start(store, plain_venv, root, put_script, training, definition):
    """Run one training step with a policy on a launcher; the row, the notes, the execution's end."""

    def run(launcher: Unsteady, *kinds: str, stop_after: float = 0, interval: float = 0.01, **policy: Any):
        policies = [
            {"ExceptionType": list(kinds), "IntervalSeconds": interval, **(policy or {"MaxAttempts": 2})}
        ]
        fit = training("Fit", put_script("none", ""), RetryPolicies=policies if kinds else [])
        notes: list[str] = []

        def watch(event: events.Event) -> None:
            if isinstance(event, events.Note):
                notes.append(event.text)

        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, root)
        executor = Executor(store, launcher, targets, watch)
        if stop_after:
            threading.Timer(stop_after, executor.stop.request).start()
        finished = executor.start(definition(fit), "p", {})
        return store.state.step(finished.execution, "Fit"), notes, finished

    return run


@pytest.mark.parametrize(
    "errors",
    [
        [faults.Fault("no host")] * 2,
        [DockerError("it is gone")],
        [OSError(errno.EAGAIN, "no process"), faults.CapacityError("port 8080 is taken")],
        [StoreBusy("in use")] * 2,
    ],
)
def test_a_step_succeeds_after_faults(start, errors) -> None:
    launcher = Unsteady(*errors)
    row, notes, finished = start(launcher, INTERNAL, "SageMaker.RESOURCE_LIMIT", "SageMaker.CAPACITY_ERROR",
                                 "Step.THROTTLING")  # fmt: skip
    assert (finished.status, row["attempts"]) == ("Succeeded", 1 + len(errors))
    assert len(set(launcher.jobs)) == row["attempts"]  # each attempt is a job of its own
    assert len(notes) == len(errors) and notes[0].startswith("attempt 2 in 0.01 s, after ")


def test_attempts_end(start) -> None:
    row, _, finished = start(Unsteady(*[faults.Fault("no host")] * 9), INTERNAL)
    assert (finished.status, finished.reason, row["attempts"]) == ("Failed", "step Fit: no host", 3)


@pytest.mark.parametrize("error", [faults.ResourceLimit("no memory"), DockerError("gone")])
def test_what_no_policy_names_is_not_tried_again(start, error) -> None:
    row, notes, finished = start(Unsteady(error), "SageMaker.CAPACITY_ERROR")
    assert (finished.status, row["attempts"], notes) == ("Failed", 1, [])


def test_an_exit_code_of_the_users_program_is_no_fault(start) -> None:
    launcher = Unsteady(ended=Ended(exit_codes=(7,)))
    row, _, finished = start(launcher, *faults_of_all_kinds())
    assert (finished.status, row["attempts"], len(launcher.jobs)) == ("Failed", 1, 1)
    assert "AlgorithmError" in finished.reason


def faults_of_all_kinds() -> list[str]:
    return [kind.exception_type for kind in (faults.Fault, *faults.Fault.__subclasses__())]


def test_a_stop_ends_the_waiting(start) -> None:
    began = time.monotonic()
    row, _, finished = start(Unsteady(faults.Fault("no host")), INTERNAL, stop_after=0.3, interval=60)
    assert time.monotonic() - began < 10
    assert (finished.status, row["status"]) == ("Stopped", "Stopped")
    assert row["failure"] == "stopped while it waited for attempt 2, after: no host"


def test_the_definition_says_how_often(processing, definition) -> None:
    policy = {"ExceptionType": [INTERNAL], "MaxAttempts": 20}
    document = parse(definition(processing("S", "s3://b/c/", RetryPolicies=[policy])))
    patience = Patience(document.by_name["S"])
    assert [patience.pause(INTERNAL) for _ in range(3)] == [1, 2, 4]
