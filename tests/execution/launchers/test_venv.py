from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Channel, Checkpoint, JobRequest, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.staging import stage
from trainyard.execution.targets import Target

ISOLATED_OR_NOT = pytest.mark.parametrize("isolate", [True, False])


@pytest.fixture
def launch(store, plain_venv: Path, environments, tmp_path: Path):
    store.objects.put_bytes(b"original", parse_uri("s3://b/d/file"))

    def run(code: str, *, isolate: bool = True, stop: StopSignal | None = None, **more):
        request = JobRequest(
            name="job", kind="Training", image="i", target=Target("venv", str(plain_venv)),
            command=("python3", "-c", code), environment={"MINE": "1", "PLACE": "/opt/ml/model"},
            channels=(Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/d/"),),
            checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck"), **more,
        )  # fmt: skip
        hosts = stage(store.objects, request, tmp_path / "job")
        ended = VenvLauncher(environments, {}, isolate=isolate)(
            request, hosts, stop or StopSignal(), lambda: None
        )
        return ended, [host.log.read_text() for host in hosts], hosts

    return run


@ISOLATED_OR_NOT
def test_a_job_that_writes_to_its_inputs_cannot_change_the_store(launch, store, isolate: bool) -> None:
    code = "open('/opt/ml/input/data/data/file', 'w').write('changed')"
    launch(code, isolate=isolate)
    assert store.objects.read(parse_uri("s3://b/d/file")) == b"original"


@ISOLATED_OR_NOT
def test_checkpoints_are_in_the_store_at_once(launch, store, isolate: bool) -> None:
    ended, _, _ = launch(
        "open('/opt/ml/checkpoints/step-1', 'w').write('x'); import os; os._exit(9)", isolate=isolate
    )
    assert ended.exit_code == 9
    assert store.objects.read(parse_uri("s3://b/ck/step-1")) == b"x"


@ISOLATED_OR_NOT
def test_the_environment_is_the_jobs_own(launch, monkeypatch, isolate: bool) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.prefix]))"
    _, [log], [host] = launch(code, isolate=isolate)
    environment, prefix = json.loads(log.strip().splitlines()[-1])
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert (environment["MINE"], environment["TRAINING_JOB_NAME"]) == ("1", "job")
    assert environment["PLACE"] == ("/opt/ml/model" if isolate else f"{host.ml}/model")
    assert ("SAGEMAKER_BASE_DIR" in environment) != isolate
    assert prefix.endswith("/venv")


def test_where_the_kernel_refuses_it_says_what_cannot_work(launch, monkeypatch, tmp_path: Path) -> None:
    real = Path(VenvLauncher.__call__.__globals__["_SANDBOX"]).read_text()
    refusing = tmp_path / "refusing.py"
    body = '    raise PermissionError(1, "not here")\n'
    refusing.write_text(
        real.replace("def _enter_namespaces() -> None:\n", f"def _enter_namespaces() -> None:\n{body}")
    )
    monkeypatch.setitem(VenvLauncher.__call__.__globals__, "_SANDBOX", refusing)
    ended, [log], [host] = launch("import os; print(os.environ['SAGEMAKER_BASE_DIR'])")
    assert ended.exit_code == 0
    assert f"no namespaces: [Errno 1] not here; /opt/ml stands at {host.ml} instead" in log
    assert log.strip().endswith(str(host.ml))


def test_stop_gives_time_and_then_none(launch) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, lambda *a: print('saving', flush=True))\n"
        "print('up', flush=True)\nwhile True: time.sleep(0.1)"
    )
    stop = StopSignal()
    threading.Timer(0.5, stop.request).start()
    began = time.monotonic()
    ended, [log], _ = launch(code, stop=stop, grace=1.0)
    assert (ended.stopped, ended.exit_code) == ("Stopped", 137)
    assert "saving" in log
    assert 1.3 < time.monotonic() - began < 10


def test_a_second_stop_hurries(launch) -> None:
    stop = StopSignal()
    for delay in (0.4, 0.8):
        threading.Timer(delay, stop.request).start()
    began = time.monotonic()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert launch(code, stop=stop)[0].stopped == "Stopped"
    assert time.monotonic() - began < 10


def test_when_one_host_fails_the_others_are_stopped(launch) -> None:
    code = "import socket, sys, time; sys.exit(4) if socket.gethostname() == 'algo-2' else time.sleep(60)"
    began = time.monotonic()
    ended, _, _ = launch(code, host_count=2)
    assert ended.exit_codes == (143, 4)
    assert ended.stopped == ""
    assert time.monotonic() - began < 20
