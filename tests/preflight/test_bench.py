from __future__ import annotations

import pytest

from tests.preflight.conftest import trained
from trainyard.errors import CheckFailed, ExecutionStopped
from trainyard.execution import events
from trainyard.preflight.bench import Watching
from trainyard.preflight.example import trains


def test_variants_of_the_examples_job_have_places_of_their_own(toy_bench):
    bench = toy_bench()
    assert list(trains(bench)) == []
    first, data = bench.request, bench.model_data
    trial = bench.train(bench.fresh_checkpoint(first))
    assert trial.exit_code == 0 and trial.metrics.count("steps:done") == 20 and trial.failure == ""
    assert trial.outcome.request.outputs[0].uri != first.outputs[0].uri and data.exists()
    assert trial.outcome.request.checkpoint.uri != first.checkpoint.uri
    assert trial.outcome.request.grace == bench.grace
    bench.stop.request()
    with pytest.raises(ExecutionStopped):
        bench.train(first)


def test_what_is_not_known_yet_is_said(toy_bench):
    bench = toy_bench()
    for ask in (lambda: bench.request, lambda: bench.asking, lambda: bench.endpoint_running):
        with pytest.raises(CheckFailed):
            ask()
    assert bench.is_ours and trained(bench).model_data.is_file()


def test_lines_and_metrics_are_collected_and_passed_on():
    passed: list[events.Event] = []
    watching = Watching(passed.append)
    assert watching.last_line == "no output"
    for event in (
        events.LogLine(step="s", host="algo-1", line="a"),
        events.MetricSeen(step="s", host="algo-1", name="m", value=1.0),
        events.LogLine(step="s", host="algo-1", line=" "),
    ):
        watching.take(event)
    assert watching.last_line == "a" and len(passed) == 3
