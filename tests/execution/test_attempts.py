from __future__ import annotations

import threading
import time

import pytest

from trainyard.execution import events
from trainyard.execution.jobs import run_job
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Channel, Checkpoint, Ended, JobRequest, Output, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps.training import describe
from trainyard.execution.targets import Target

SAVES = """
import pathlib, signal, sys, time
checkpoint = pathlib.Path("/opt/ml/checkpoints/epoch")
epoch = int(checkpoint.read_text()) if checkpoint.exists() else 0
def save(number, frame):
    print("terminated in epoch", epoch, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
pathlib.Path("/opt/ml/model/begun_in").write_text(str(epoch))
while epoch < 4:
    print("epoch", epoch, flush=True)
    time.sleep(0.25)
    epoch += 1
    checkpoint.write_text(str(epoch))
"""


@pytest.fixture
def spot(store, plain_venv, environments, namespaces):
    """Run the script as managed spot training; the answer is the outcome and the events."""

    def run(script: str, stop: StopSignal | None = None, interrupt_after: float = 0, **more):
        stop = stop or StopSignal()
        if interrupt_after:
            threading.Timer(interrupt_after, stop.interrupt).start()
        store.objects.put_bytes(b"x", parse_uri("s3://b/d/file"))
        request = JobRequest(
            name="spot", kind="Training", image="i", target=Target("venv", str(plain_venv)),
            command=("python3", "-c", script), spot=True,
            channels=(Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/d/"),),
            checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck"),
            outputs=(Output(name="model", container_path="/opt/ml/model", uri="s3://b/out/"),), **more,
        )  # fmt: skip
        seen: list = []
        launcher = VenvLauncher(environments, {})
        return run_job(store, launcher, "S", request, stop, seen.append), seen

    return run


def test_an_interrupted_job_goes_on_from_its_checkpoint(spot, store) -> None:
    outcome, seen = spot(SAVES, interrupt_after=0.4)
    assert (outcome.status, outcome.failure) == ("Completed", "")
    assert [attempt.interrupted for attempt in outcome.attempts] == [True, False]
    lines = [event.line for event in seen if isinstance(event, events.LogLine)]
    assert "terminated in epoch 1" in lines and lines.count("epoch 0") == 1
    begun = int(store.objects.read(parse_uri("s3://b/out/begun_in")))
    assert begun == 1, "the second attempt did not begin at the checkpoint"
    answer = describe({}, outcome)
    statuses = [transition["Status"] for transition in answer["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Interrupted", "Starting", "Downloading",
                        "Training", "Uploading", "Completed"]  # fmt: skip
    assert answer["BillableTimeInSeconds"] <= answer["TrainingTimeInSeconds"]


def test_an_interruption_may_come_from_outside_and_a_stop_still_stops(spot) -> None:
    stop = StopSignal()
    threading.Timer(0.4, stop.interrupt).start()
    threading.Timer(1.0, stop.request).start()
    outcome, _ = spot("import time\ntime.sleep(60)", stop)
    assert outcome.status == "Stopped"
    assert [attempt.interrupted for attempt in outcome.attempts] == [True, False]


def test_time_before_an_interruption_counts(spot) -> None:
    began = time.monotonic()
    outcome, _ = spot("import time\ntime.sleep(60)", interrupt_after=0.5, max_runtime=1.0)
    assert outcome.ended.stopped == "MaxRuntimeExceeded" and len(outcome.attempts) == 2
    assert time.monotonic() - began < 5


def test_a_job_that_stops_by_itself_is_not_started_again(store) -> None:
    calls = []

    def launcher(request, hosts, stop, tick) -> Ended:
        calls.append(request)
        tick()
        return Ended(exit_codes=(143,), stopped="Stopped")

    request = JobRequest(name="j", kind="Training", image="i", target=Target("venv", "/v"), spot=True)
    outcome = run_job(store, launcher, "S", request, StopSignal(), events.nobody)
    assert (outcome.status, len(calls)) == ("Stopped", 1)
