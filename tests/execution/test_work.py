from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.errors import DefinitionError, Unsupported
from trainyard.execution import events
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.resources import STATUS
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target, Targets
from trainyard.execution.work import WORK


@pytest.fixture
def machine(store, plain_venv, namespaces) -> Machine:
    targets = Targets({"image": Target("venv", str(plain_venv))}, {}, Path("/"))
    return Machine(
        store=store, launcher=VenvLauncher(Environments(store.home / "venvs"), {}), targets=targets
    )


def test_every_kind_is_one_that_is_recorded() -> None:
    assert {work.kind for work in WORK.values()} <= set(STATUS)
    assert all(STATUS[work.kind] == f"{type_}JobStatus" for type_, work in WORK.items())


@pytest.mark.parametrize(
    ("code", "status"), [("print('hello')", "Completed"), ("raise SystemExit(3)", "Failed")]
)
def test_a_request_is_prepared_then_run_to_its_description(store, machine, training, code, status) -> None:
    store.objects.put_bytes(code.encode(), parse_uri("s3://bucket/code/main.py"))
    arguments = training("t", "s3://bucket/code/")["Arguments"]
    prepared = WORK["Training"].prepare(machine, "job-1", arguments)
    assert store.resources.all("training-job") == []
    assert not store.job_folder("job-1").exists()
    seen: list[events.Event] = []
    with store.recorder.begin("training-job", "job-1", arguments) as recording:
        described = prepared(recording, seen.append)
        recording.finish(described)
    assert described["TrainingJobName"] == "job-1"
    assert described["TrainingJobStatus"] == status
    assert store.resources.get("training-job", "job-1")["TrainingJobStatus"] == status
    assert ("exit code: 3" in described.get("FailureReason", "")) == (status == "Failed")
    assert any(isinstance(event, events.LogLine) for event in seen) == (status == "Completed")


@pytest.mark.parametrize(
    ("type_", "change", "error", "match"),
    [
        ("Training", {"AlgorithmSpecification": {}}, DefinitionError, "TrainingImage is missing"),
        ("Training", {"ServerlessJobConfig": {"a": 1}}, Unsupported, "ServerlessJobConfig"),
        ("Training", {"ResourceConfig": {"InstanceCount": 0}}, DefinitionError, "InstanceCount is 0"),
        ("Processing", {"AppSpecification": {"ImageUri": "unknown"}}, Unsupported, "unknown"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_happens(
    store, machine, training, processing, type_, change, error, match
) -> None:
    make = {"Training": training, "Processing": processing}[type_]
    arguments = {**make("t", "s3://bucket/code/")["Arguments"], **change}
    with pytest.raises(error, match=match):
        WORK[type_].prepare(machine, "job-1", arguments)
    assert not store.job_folder("job-1").exists()
