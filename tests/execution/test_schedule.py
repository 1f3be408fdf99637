from __future__ import annotations

import os
import signal
import threading

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
