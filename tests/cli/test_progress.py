from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from trainyard.cli.progress import Board, Plain, _render, ending, without_metrics
from trainyard.execution.events import (
    ExecutionStarted,
    LogLine,
    MetricSeen,
    Note,
    StepEnded,
    StepStarted,
)

EVENTS = [
    Note(step="", text="setting up"),
    ExecutionStarted(execution="e1", pipeline="p", steps=("Train", "Register")),
    Note(step="", text=""),
    StepStarted(step="Train", kind="Training"),
    Note(step="Train", text="not cached: no earlier run"),
    MetricSeen(step="Train", host="algo-1", name="models:done", value=3),
    MetricSeen(step="Train", host="algo-1", name="models:total", value=10),
    MetricSeen(step="Train", host="algo-2", name="models:done", value=4),
    MetricSeen(step="Train", host="algo-2", name="models:total", value=10),
    LogLine(step="Train", host="algo-2", line="models:done=4; customer_7 mae=0.5;"),
]


def test_counts_are_summed_over_hosts() -> None:
    board = Board()
    for event in EVENTS:
        board.take(event)
    assert board.steps["Train"].progress() == ("models", 7.0, 20.0)
    assert board.steps["Register"].progress() is None
    assert board.busy == ""


def test_plain_lines() -> None:
    stream = io.StringIO()
    plain = Plain(stream)
    for event in EVENTS:
        plain.take(event)
    plain.take(StepEnded(step="Train", kind="Training", status="Failed", seconds=2.04, reason="no luck"))
    assert stream.getvalue().splitlines() == [
        "setting up",
        "p: execution e1",
        "Train: started",
        "Train: not cached: no earlier run",
        "Train: 7/20 models  customer_7",
        "Train: Failed in 2.0 s, no luck",
    ]


def test_endings() -> None:
    common = {"step": "A", "kind": "Training", "status": "Succeeded", "seconds": 1.0}
    assert ending(StepEnded(**common, cached_from="e0", detail="same as 5 s ago")) == (
        "from the cache: same as 5 s ago (execution e0)"
    )
    assert ending(StepEnded(**common, detail="0.5 < 1 is true")) == "0.5 < 1 is true"
    assert without_metrics("a:b=1e-3; loss=nan; customer_7") == "customer_7"


def test_on_a_terminal_the_steps_are_a_live_table() -> None:
    code = (
        "import time, test_progress as t; from trainyard.cli.progress import watching\n"
        "with watching() as watch:\n"
        "    for event in t.EVENTS: watch(event)\n"
        "    time.sleep(0.4)\n"
    )
    shown = on_a_terminal(code)
    for text in ("p  execution e1", "Train", "7/20 models", "customer_7", "Register"):
        assert text in shown, text


def test_long_lines_leave_room_for_what_they_are_about() -> None:
    board = Board()
    board.take(ExecutionStarted(execution="e1", pipeline="p", steps=("Preprocess", "TrainTheModel")))
    board.take(StepStarted(step="TrainTheModel", kind="Training"))
    for name, value in (("models:done", 7.0), ("models:total", 20.0)):
        board.take(MetricSeen(step="TrainTheModel", host="algo-1", name=name, value=value))
    board.take(LogLine(step="TrainTheModel", host="algo-1", line="x" * 200))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_render(board))
    shown = console.export_text()
    assert "▶  TrainTheModel" in shown and "Preprocess" in shown and "7/20 models" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_what_is_being_done_does_not_stay_on_the_terminal() -> None:
    code = (
        "from trainyard.cli.progress import watching\n"
        "from trainyard.execution.events import Note\n"
        "with watching() as watch: watch(Note(step='', text='making data'))\n"
        "print('the end')\n"
    )
    shown = on_a_terminal(code)
    assert "the end" in shown
    assert "making data" not in shown  # it was replaced before the first picture of it


def on_a_terminal(code: str) -> str:
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        "COLUMNS": "90",
    }
    subprocess.run([sys.executable, "-c", code], stdout=follower, env=environment, check=True, timeout=30)
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    return shown


def test_a_very_long_line_costs_no_time() -> None:
    began = time.monotonic()
    without_metrics("x" * 200_000)
    assert time.monotonic() - began < 1
