from __future__ import annotations

import time
from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.errors import DefinitionError, Unsupported
from trainyard.execution import events
from trainyard.execution.machine import Machine
from trainyard.execution.request import Ended, StopSignal
from trainyard.execution.run import Run
from trainyard.execution.s3 import parse_uri
from trainyard.execution.step import run_step
from trainyard.execution.steps import processing as processing_kind
from trainyard.execution.steps.job_step import plan_job
from trainyard.execution.targets import Target, Targets


@pytest.fixture
def run(store, plain_venv, definition, processing):
    """A run of one processing step, with a launcher that only counts its jobs and ends as it is told."""

    def make(step, ended: Ended | None = None):
        seen, jobs = [], []

        def launch(request, hosts, stop, tick):
            jobs.append(request)
            return ended or Ended(exit_codes=(0,))

        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, Path("/"))
        made = Run(
            machine=Machine(store=store, launcher=launch, targets=targets),
            document=parse(definition(step)), parameters={},
            execution_id="e", pipeline="p", started=time.time(), stop=StopSignal(), watch=seen.append,
        )  # fmt: skip
        store.state.add_execution("e", "p", {}, {}, {})
        return made, made.document.by_name[step["Name"]], seen, jobs

    store.objects.put_bytes(b"", parse_uri("s3://b/code/main.py"))
    return make


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (Ended(exit_codes=(0,)), "Succeeded"),
        (Ended(exit_codes=(1,)), "Failed"),
        (Ended(exit_codes=(143,), stopped="Stopped"), "Stopped"),
        (Ended(exit_codes=(143,), stopped="MaxRuntimeExceeded"), "Failed"),
    ],
)
def test_the_end_of_a_job_is_the_end_of_its_step(run, store, processing, ended, status) -> None:
    made, step, seen, _ = run(processing("S", "s3://b/code/"), ended)
    assert run_step(made, step).status == status
    row = store.state.step("e", "S")
    assert (row["status"], row["metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]) == (status, row["job"])
    assert [type(event) for event in seen] == [events.StepStarted, events.StepEnded]


def test_an_expected_failure_is_an_end_with_its_message(run, store, processing) -> None:
    made, step, _, jobs = run(processing("S", "s3://b/nothing-here/"))
    end = run_step(made, step)
    assert (end.status, jobs) == ("Failed", [])
    assert "channel 'code': no objects below s3://b/nothing-here/" in store.state.step("e", "S")["failure"]


def test_a_value_that_is_known_only_now_is_judged_now(run, processing) -> None:
    step = processing("S", "s3://b/code/")
    mode = {"Std:Join": {"On": "", "Values": ["Pi", "pe"]}}
    step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3InputMode"] = mode
    made, parsed, _, _ = run(step)
    with pytest.raises(Unsupported, match="S3InputMode"):
        plan_job(made, parsed, processing_kind, "job")


def test_a_job_that_is_not_to_be_cached_always_runs(run, store, processing) -> None:
    made, step, _, jobs = run(processing("S", "s3://b/code/"))
    run_step(made, step)
    run_step(made, step)
    assert len(jobs) == 2
    assert store.state.step("e", "S")["cache_key"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"ProcessingInputs": "x"},
        {"ProcessingInputs": [1]},
        {"Environment": [1]},
        {"AppSpecification": []},
        {"ProcessingOutputConfig": {"Outputs": 3}},
        {"StoppingCondition": {"MaxRuntimeInSeconds": "soon"}},
    ],
)
def test_arguments_of_another_shape_are_refused(run, processing, change) -> None:
    step = processing("S", "s3://b/code/")
    step["Arguments"].update(change)
    made, parsed, _, _ = run(step)
    with pytest.raises((DefinitionError, Unsupported), match="step 'S'"):
        plan_job(made, parsed, processing_kind, "job")


def test_a_message_that_is_no_unicode_is_recorded(run, store) -> None:
    step = {"Name": "S", "Type": "Fail", "Arguments": {"ErrorMessage": "\ud800 bad"}}
    made, step, _, _ = run(step)
    assert run_step(made, step).status == "Failed"
    assert store.state.step("e", "S")["failure"] == "\\ud800 bad"


def test_a_variable_that_no_process_can_have_is_refused(run, processing) -> None:
    made, step, _, _ = run(processing("S", "s3://b/code/", environment={"A": "x" * 200_000}))
    with pytest.raises(DefinitionError, match="too long"):
        plan_job(made, step, processing_kind, "job")
