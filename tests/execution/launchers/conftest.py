"""Run a line of Python as a job of the plain environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Channel, Checkpoint, JobRequest, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.staging import stage
from trainyard.execution.targets import Target


@pytest.fixture
def launch(request: pytest.FixtureRequest, store, plain_venv: Path, environments, tmp_path: Path):
    store.objects.put_bytes(b"original", parse_uri("s3://b/d/file"))

    def run(code: str, *, isolate: bool = True, stop: StopSignal | None = None, **more):
        if isolate:
            request.getfixturevalue("namespaces")
        job = JobRequest(
            name="job", kind="Training", image="i", target=Target("venv", str(plain_venv)),
            command=("python3", "-c", code), environment={"MINE": "1", "PLACE": "/opt/ml/model"},
            channels=(Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/d/"),),
            checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck"), **more,
        )  # fmt: skip
        hosts = stage(store.objects, job, tmp_path / "job")
        ended = VenvLauncher(environments, {}, isolate=isolate)(
            job, hosts, stop or StopSignal(), lambda: None
        )
        return ended, [host.log.read_text() for host in hosts], hosts

    return run
