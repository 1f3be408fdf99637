from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import wait_until
from trainyard.errors import Unsupported
from trainyard.execution import events
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.request import JobRequest, StopSignal
from trainyard.execution.targets import Target, Targets


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:4599"])
def test_a_job_knows_where_the_endpoint_answers(store, plain_venv, namespaces, url) -> None:
    target = Target("venv", str(plain_venv))
    machine = Machine(
        store=store, launcher=VenvLauncher(Environments(store.home / "venvs"), {}),
        targets=Targets({}, {}, Path("/")), endpoint_url=url,
    )  # fmt: skip
    script = "import os; print('endpoint', os.environ.get('AWS_ENDPOINT_URL'))"
    request = JobRequest(
        name="j", kind="Processing", image="i", target=target, command=("python3", "-c", script),
        resource_config="config/resourceconfig.json",
    )  # fmt: skip
    lines: list[str] = []

    def watch(event: events.Event) -> None:
        if isinstance(event, events.LogLine):
            lines.append(f"{event.step} {event.host} {event.line}")

    outcome = machine.run("S", request, StopSignal(), watch)
    assert outcome.status == "Completed"
    assert lines == [f"S algo-1 endpoint {url or None}"]
    assert outcome.request.endpoint_url == url


def test_a_serving_container_knows_it_too_unless_it_is_told_otherwise(
    store, plain_venv, namespaces, tmp_path
) -> None:
    target = Target("venv", str(plain_venv))
    serve = plain_venv / "bin" / "serve"
    serve.write_text("#!/bin/sh\necho $AWS_ENDPOINT_URL $AWS_REGION\n")
    serve.chmod(0o755)
    machine = Machine(
        store=store, launcher=VenvLauncher(Environments(store.home / "venvs"), {}),
        targets=Targets({}, {}, Path("/")), endpoint_url="http://127.0.0.1:4599",
    )  # fmt: skip
    container = machine.serving(target, tmp_path / "c", {"AWS_REGION": "mars-1"})
    container.start()
    wait_until(lambda: bool(container.ended()))
    serve.unlink()
    assert container.log.read_text() == "http://127.0.0.1:4599 mars-1\n"


def test_a_launcher_of_jobs_only_serves_nothing(store, tmp_path) -> None:
    def launch(*_):
        raise AssertionError

    machine = Machine(store=store, launcher=launch, targets=Targets({}, {}, Path("/")))
    with pytest.raises(Unsupported, match="venv:v cannot serve models here: its launcher runs jobs only"):
        machine.serving(Target("venv", "v"), tmp_path, {})
