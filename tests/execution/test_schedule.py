from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from trainyard.execution.request import StopSignal
from trainyard.execution.schedule import stopping_on_signals


def test_signals_ask_to_stop_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop, seen = StopSignal(), []
    with stopping_on_signals(stop, seen.append):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested and not stop.hurried
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.hurried
    assert signal.getsignal(signal.SIGTERM) is before
    assert [note.text.split(":")[0] for note in seen] == ["stopping", "ending the jobs at once"]


def test_a_signal_that_is_ignored_stays_so() -> None:
    """What nohup does with SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = StopSignal()
        with stopping_on_signals(stop, lambda event: None):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with stopping_on_signals(StopSignal(), seen.append):
            seen.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]


def test_after_a_failure_nothing_new_starts_but_what_runs_ends(
    store, make_executor, put_script, processing, definition
) -> None:
    slow = put_script("slow", "import time; time.sleep(1)")
    bad = put_script("bad", "raise SystemExit('no')")
    steps = [
        processing("Bad", bad),
        processing("Slow", slow),
        processing("AfterSlow", slow, DependsOn=["Slow"]),
        processing("AfterBad", slow, DependsOn=["Bad"]),
    ]
    finished = make_executor().start(definition(*steps), "p", {})
    statuses = {row["name"]: row["status"] for row in store.state.steps(finished.execution)}
    assert statuses == {"Bad": "Failed", "Slow": "Succeeded"}
    assert finished.status == "Failed"


@pytest.mark.parametrize(
    ("word", "ran"),
    [
        ("ab", {"Outer", "Inner", "Both", "Behind", "Always"}),
        ("ax", {"Outer", "Inner", "First", "Always"}),
        ("xx", {"Outer", "Neither", "Always"}),
    ],
)
def test_only_what_lies_in_or_behind_taken_branches_runs(store, make_executor, definition, word, ran) -> None:
    def model(name: str, *waits: str) -> dict[str, Any]:
        return {"Name": name, "Type": "Model", "Arguments": {}, "DependsOn": list(waits)}

    def branch(name: str, values: list[str], yes: dict[str, Any], no: dict[str, Any]) -> dict[str, Any]:
        is_in = {"Type": "In", "QueryValue": {"Get": "Parameters.Word"}, "Values": values}
        arguments = {"Conditions": [is_in], "IfSteps": [yes], "ElseSteps": [no]}
        return {"Name": name, "Type": "Condition", "Arguments": arguments}

    inner = branch("Inner", ["ab"], model("Both"), model("First"))
    outer = branch("Outer", ["ab", "ax"], inner, model("Neither"))
    document = definition(
        outer,
        model("Behind", "Both"),
        model("Always", "Outer"),
        parameters=[{"Name": "Word", "Type": "String"}],
    )
    finished = make_executor().start(document, "p", {"Word": word})
    assert finished.status == "Succeeded"
    assert {row["name"] for row in store.state.steps(finished.execution)} == ran
