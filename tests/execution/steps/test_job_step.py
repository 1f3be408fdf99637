from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.errors import DefinitionError, StoreError, Unsupported
from trainyard.execution.machine import Machine
from trainyard.execution.request import Ended, StopSignal
from trainyard.execution.run import Run
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps import processing as kind
from trainyard.execution.steps.job_step import plan_job, run_job_step
from trainyard.execution.targets import Target, Targets

CODE = {"S3Uri": "s3://b/code/", "LocalPath": "/opt/ml/processing/code"}
STEP = {
    "Name": "S", "Type": "Processing", "CacheConfig": {"Enabled": True},
    "Arguments": {
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
        "ProcessingInputs": [{"InputName": "code", "S3Input": CODE}],
    },
}  # fmt: skip


@pytest.fixture
def run(store, plain_venv):
    """A run of the step; its launcher only sees what is recorded and ends as it is told."""
    store.objects.put_bytes(b"", parse_uri("s3://b/code/main.py"))

    def make(ended=None, execution="e", change=None, **more):
        seen = []

        def launch(request, hosts, stop, tick):
            seen.append(store.resources.get("processing-job", request.name)["ProcessingJobStatus"])
            if isinstance(ended, Exception):
                raise ended
            return ended or Ended(exit_codes=(0,))

        step = json.loads(json.dumps(STEP))
        step["Arguments"].update(change or {})
        document = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}
        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, Path("/"))
        made = Run(
            machine=Machine(store=store, launcher=launch, targets=targets), document=parse(document),
            parameters={}, execution_id=execution, pipeline="p", started=time.time(), stop=StopSignal(),
            watch=lambda event: None, **more,
        )  # fmt: skip
        store.state.add_execution(execution, "p", {}, {}, {})
        store.state.start_step(execution, "S", "Processing")
        return made, made.document.by_name["S"], seen

    return make


@pytest.mark.parametrize(
    ("ended", "status", "recorded"),
    [
        (Ended(exit_codes=(0,)), "Succeeded", "Completed"),
        (Ended(exit_codes=(2,)), "Failed", "Failed"),
        (Ended(exit_codes=(143,), stopped="Stopped"), "Stopped", "Stopped"),
        (Ended(exit_codes=(143,), stopped="MaxRuntimeExceeded"), "Failed", "Stopped"),
    ],
)
def test_the_job_is_a_resource_while_it_runs_and_after(run, store, ended, status, recorded) -> None:
    made, step, seen = run(ended)
    end = run_job_step(made, step, kind)
    assert (end.status, seen) == (status, ["InProgress"])
    (document,) = store.resources.all("processing-job")
    assert document["ProcessingJobStatus"] == recorded
    assert document.get("FailureReason", "") == end.failure
    assert end.metadata == {"ProcessingJob": {"Arn": document["ProcessingJobArn"]}}
    assert store.state.step("e", "S")["job"] == document["ProcessingJobName"]
    assert store.recorder.running() == []


def test_a_job_that_cannot_be_launched_is_recorded_as_failed(run, store) -> None:
    made, step, _ = run(StoreError("no room"))
    with pytest.raises(StoreError, match="no room"):
        run_job_step(made, step, kind)
    (document,) = store.resources.all("processing-job")
    assert (document["ProcessingJobStatus"], document["FailureReason"]) == ("Failed", "no room")


def test_the_same_again_comes_from_the_cache_without_a_job(run, store) -> None:
    made, step, _ = run()
    first = run_job_step(made, step, kind)
    # what makes a step a source is that it is recorded as succeeded
    store.state.update_step(
        "e",
        "S",
        status="Succeeded",
        result=first.result,
        metadata=first.metadata,
        outputs={},
        ended=time.time(),
    )
    again, step, seen = run(execution="e2")
    end = run_job_step(again, step, kind)
    assert (end.status, end.cache_source, seen) == ("Succeeded", "e", [])
    assert end.result["ProcessingJobName"] == first.result["ProcessingJobName"]
    assert len(store.resources.all("processing-job")) == 1
    uncached, step, seen = run(execution="e3", cache="off")
    assert run_job_step(uncached, step, kind).cache_source is None
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [({"ProcessingInputs": "x"}, (DefinitionError, Unsupported)), ({"Surprise": 1}, Unsupported)],
)
def test_what_cannot_run_is_refused_before_a_job_is_recorded(run, store, change, error) -> None:
    made, step, seen = run(change=change)
    with pytest.raises(error, match="step 'S'"):
        run_job_step(made, step, kind)
    assert (seen, store.resources.all("processing-job")) == ([], [])
    with pytest.raises(error):
        plan_job(made, step, kind, "job")
