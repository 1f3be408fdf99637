from __future__ import annotations

import argparse

import pytest

from tests.conftest import wait_until
from trainyard.cli.interruption import Interruption, check, interrupting, parse
from trainyard.cli.results import result
from trainyard.errors import StoreBusy, UsageError
from trainyard.execution import events
from trainyard.execution.s3 import parse_uri

GOES_ON = """
import pathlib, time
begun = pathlib.Path("/opt/ml/checkpoints/begun")
if not begun.exists():
    begun.write_text("x")
    time.sleep(60)
pathlib.Path("/opt/ml/model/done").write_text("x")
"""


@pytest.fixture
def spot(put_script):
    def make(enabled: bool = True):
        channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": put_script("fit", GOES_ON)}}
        arguments = {
            "AlgorithmSpecification": {
                "TrainingImage": "image", "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
            },
            "EnableManagedSpotTraining": enabled,
            "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
            "InputDataConfig": [{"ChannelName": "code", "DataSource": channel}],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.c5.xlarge", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 100},
        }  # fmt: skip
        return {
            "Version": "2020-12-01",
            "Steps": [{"Name": "Fit", "Type": "Training", "Arguments": arguments}],
        }

    return make


def test_a_step_is_interrupted_once_and_goes_on(spot, make_executor, store) -> None:
    seen: list = []
    executor = make_executor()
    asked = [Interruption("Fit", 1.0)]
    check(asked, executor.plan(spot(), "p", {}))
    executor.watch = interrupting(asked, store, seen.append)
    finished = executor.start(spot(), "p", {})
    assert (finished.status, finished.reason) == ("Succeeded", "")
    notes = [event.text for event in seen if isinstance(event, events.Note)]
    assert "interrupted: its instance is taken away" in notes
    row = store.state.step(finished.execution, "Fit")
    assert "Interrupted" in [one["Status"] for one in row["result"]["SecondaryStatusTransitions"]]
    assert store.objects.list(parse_uri("s3://bucket/out"))
    reported = result(store, finished.execution)["ManagedSpot"]["Fit"]
    assert reported["Interruptions"] == 1
    assert 1 <= reported["BillableTimeInSeconds"] <= reported["TrainingTimeInSeconds"]


@pytest.mark.parametrize("enabled", [True, False])
def test_only_steps_of_spot_training_can_be_interrupted(spot, make_executor, enabled) -> None:
    planned = make_executor().plan(spot(enabled), "p", {})
    with pytest.raises(UsageError, match="there are: Fit" if enabled else "there are: none"):
        check([Interruption("Other" if enabled else "Fit", 1)], planned)


def test_a_step_is_named_once() -> None:
    with pytest.raises(UsageError, match=r"--interrupt Fit@...: given more than once"):
        check([Interruption("Fit", 1), Interruption("Fit", 9)], [])


def test_a_store_that_is_busy_is_told(store, monkeypatch) -> None:
    def busy(*given):
        raise StoreBusy("db is in use by others")

    seen: list[events.Event] = []
    watch = interrupting([Interruption("Fit", 0)], store, seen.append)
    monkeypatch.setattr(store.state, "step", busy)
    watch(events.StepStarted(step="Fit", kind="Training"))
    wait_until(lambda: events.Note(step="Fit", text="not interrupted: db is in use by others") in seen)


def test_step_and_seconds_are_read() -> None:
    assert parse("Train@2.5") == Interruption("Train", 2.5)
    for text in ("Train", "@2", "Train@", "Train@x", "Train@-1", "Train@inf", "Train@nan", "Train@1e300"):
        with pytest.raises(argparse.ArgumentTypeError, match="write STEP@SECONDS"):
            parse(text)
