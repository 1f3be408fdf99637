from __future__ import annotations

import threading
from typing import Any

import pytest

from trainyard.definition.order import Order, sequence
from trainyard.definition.steps import Step
from trainyard.execution.progress import Progress, advance
from trainyard.execution.request import StopSignal
from trainyard.execution.run import StepEnd


def graph(**edges: dict[str, str]) -> Order:
    return Order(sequence=sequence(edges), edges=edges, branches={})


def ended(status: str) -> StepEnd:
    return StepEnd(status=status, failure="" if status == "Succeeded" else "bad luck")


def play(order: Order, statuses: dict[str, str], **options: Any) -> tuple[list[str], tuple[str, str]]:
    """What starts, one step after the other, each ending as ``statuses`` says; and the outcome."""
    progress = Progress(order, StopSignal(), **options)
    started: list[str] = []
    queue: list[str] = []
    while queue := queue + progress.next():
        step, *queue = queue
        if progress.begins(step):
            started.append(step)
            progress.end(step, ended(statuses.get(step, "Succeeded")))
    return started, progress.outcome()


DONE, FAILED, STOPPED, ANY = ("Completed", "Failed", "Stopped", "Any")
CHAIN = graph(
    A={}, B={"A": DONE}, Sorry={"A": FAILED}, Over={"A": ANY}, Halt={"A": STOPPED}, Next={"Sorry": DONE}
)


@pytest.mark.parametrize(
    ("status", "started", "outcome"),
    [
        ("Succeeded", ["A", "B", "Over"], ("Succeeded", "")),
        ("Failed", ["A", "Sorry", "Over", "Next"], ("CompletedWithFailures", "step A: bad luck")),
        ("Stopped", ["A", "Over", "Halt"], ("CompletedWithFailures", "step A: bad luck")),
    ],
)
def test_triggers(status, started, outcome) -> None:
    found, result = play(CHAIN, {"A": status})
    assert (sorted(found), result) == (sorted(started), outcome)


def test_a_failure_that_nothing_waits_for_ends_the_execution_as_failed() -> None:
    order = graph(A={}, Z={}, AfterZ={"Z": DONE})
    assert play(order, {"A": "Failed"}) == (["A"], ("Failed", "step A: bad luck"))


def test_a_failure_that_is_expected_does_not_keep_other_branches_from_running() -> None:
    order = graph(A={}, Sorry={"A": FAILED}, Z={}, AfterZ={"Z": DONE})
    assert play(order, {"A": "Failed"})[0] == ["A", "Z", "Sorry", "AfterZ"]


def test_what_one_failure_triggers_runs_although_another_triggers_nothing() -> None:
    order = graph(Bad={}, A={}, Sorry={"A": FAILED}, Behind={"Sorry": DONE}, Z={"A": ANY, "Bad": ANY})
    progress = Progress(order, StopSignal())
    assert progress.next() == ["Bad", "A"]
    progress.end("A", ended("Failed"))
    progress.end("Bad", ended("Failed"))
    assert progress.next() == ["Sorry", "Z"]
    alone = graph(Bad={}, A={}, Sorry={"A": FAILED}, Behind={"Sorry": DONE}, Late={"A": DONE})
    progress = Progress(alone, StopSignal())
    progress.next()
    progress.end("Bad", ended("Failed"))
    progress.end("A", ended("Failed"))
    assert progress.next() == ["Sorry"]
    progress.end("Sorry", ended("Succeeded"))
    assert progress.next() == ["Behind"]
    assert progress.outcome() == ("Failed", "step Bad: bad luck")


def test_a_failing_handler_fails_the_execution() -> None:
    order = graph(A={}, Sorry={"A": FAILED})
    assert play(order, {"A": "Failed", "Sorry": "Failed"})[1] == ("Failed", "step Sorry: bad luck")


def test_a_handler_that_shall_not_run_handles_nothing() -> None:
    order = graph(A={}, Sorry={"A": FAILED}, Z={})
    assert play(order, {"A": "Failed"}, without={"Sorry"}) == (["A"], ("Failed", "step A: bad luck"))


def test_without_halting_the_rest_goes_on() -> None:
    order = graph(A={}, AfterA={"A": DONE}, Z={}, AfterZ={"Z": DONE})
    assert play(order, {"A": "Failed"}, halting=False)[0] == ["A", "Z", "AfterZ"]


def test_a_stop_starts_nothing_more_and_is_no_failure() -> None:
    stop = StopSignal()
    progress = Progress(CHAIN, stop)
    assert progress.next() == ["A"]
    stop.request()
    progress.end("A", ended("Stopped"))
    assert progress.next() == []
    assert progress.outcome() == ("Stopped", "")


def test_a_bug_in_a_step_stops_the_others(store) -> None:
    class OfRun:
        stop = StopSignal()

        class slots:
            @staticmethod
            def taken_by(kind: str) -> threading.Lock:
                return threading.Lock()

    run: Any = OfRun()

    def work(run: Any, step: Step) -> StepEnd:
        raise AssertionError("a bug")

    order = graph(A={})
    tasks = {"A": (run, Step(name="A", type="Training", arguments={}, own={}))}
    with pytest.raises(AssertionError, match="a bug"):
        advance(Progress(order, run.stop), tasks, work)
    assert run.stop.requested
