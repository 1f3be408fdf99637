"""Full disks, cut-off runs, and killed executors: nothing is lost, nothing half-written is used."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainyard.errors import DefinitionError, DiskFull, SetupError, SourceUnavailable, StoreBusy, StoreError
from trainyard.execution import faults
from trainyard.execution.data import put_data
from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets

MEGABYTE = 2**20


pytestmark = pytest.mark.usefixtures("namespaces")


def executor(store: Store, venv: Path, environments, root: Path) -> Executor:
    return Executor(
        store, VenvLauncher(environments, {}), Targets({"image": Target("venv", str(venv))}, {}, root)
    )


FILL = """
import os, pathlib, sys
place = pathlib.Path("/opt/ml/model/model.bin")
size = int(pathlib.Path("/opt/ml/input/data/size/size").read_text())
place.write_bytes(os.urandom(size))
"""


def test_a_disk_that_fills_up_fails_the_step_and_resume_goes_on(
    small_disk, plain_venv, environments, root, training, definition
) -> None:
    store = Store(small_disk / "store")
    store.objects.put_bytes(FILL.encode(), parse_uri("s3://b/code/main.py"))
    store.objects.put_bytes(str(5 * MEGABYTE // 2).encode(), parse_uri("s3://b/size/size"))
    fit = training("Fit", "s3://b/code/", inputs={"size": "s3://b/size/"})
    run = executor(store, plain_venv, environments, root)
    finished = run.start(definition(fit), "p", {})  # the file fits, the archive made of it does not
    assert finished.status == "Failed"
    assert "no space left on the disk of" in finished.reason
    assert [item.uri.key for item in store.objects.list(parse_uri("s3://bucket/"))] == []
    store.objects.put_bytes(b"1000", parse_uri("s3://b/size/size"))
    for folder in (store.home / "jobs").iterdir():
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    resumed = executor(store, plain_venv, environments, root).resume(finished.execution)
    assert resumed.status == "Succeeded", resumed.reason


def test_data_that_does_not_fit_is_refused_and_leaves_nothing(small_disk, tmp_path: Path) -> None:
    store = Store(small_disk / "store")
    (tmp_path / "large").write_bytes(bytes(6 * MEGABYTE))
    with pytest.raises(DiskFull, match="set TRAINYARD_HOME to a larger disk"):
        put_data(store, "prophet", tmp_path / "large")
    assert store.objects.list(parse_uri("s3://trainyard-local/")) == []
    assert [path for path in (store.home / "s3").rglob("*") if path.is_file()] == []


SLOW = """
import pathlib, time
done = pathlib.Path("/opt/ml/checkpoints")
for number in range(20):
    file = done / f"{number}"
    if not file.exists():
        file.write_text("x")
        with (done / "log").open("a") as log:
            log.write(f"{number}\\n")
        time.sleep(0.1)
(pathlib.Path("/opt/ml/model") / "m").write_text("x")
"""

RUN = """
import json, sys
from pathlib import Path
from trainyard.execution.environments import Environments
from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
home, venv, definition = sys.argv[1:]
store = Store(Path(home))
launcher = VenvLauncher(Environments(store.home / "venvs"), {})
targets = Targets({"image": Target("venv", venv)}, {}, Path("/"))
Executor(store, launcher, targets).start(json.loads(definition), "p", {})
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_executor_leaves_no_job_and_resume_repeats_nothing(
    number, store, plain_venv, environments, root, training, put_script, definition
) -> None:
    fit = training("Fit", put_script("slow", SLOW), extra={"CheckpointConfig": {"S3Uri": "s3://bucket/ck"}})
    document = definition(fit)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(store.home), str(plain_venv), json.dumps(document)], env=environment
    )
    log = store.objects.path(parse_uri("s3://bucket/ck/log"))
    deadline = time.monotonic() + 20
    while not (log.exists() and len(log.read_text().splitlines()) >= 5) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    process.wait(20)
    time.sleep(0.3)
    before = log.read_text()
    time.sleep(0.4)
    assert log.read_text() == before  # nobody writes any more
    [row] = store.executions()
    assert row["status"] == ("Failed" if number == signal.SIGKILL else "Stopped")
    assert executor(store, plain_venv, environments, root).resume(row["id"]).status == "Succeeded"
    assert sorted(map(int, log.read_text().split())) == list(range(20))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (faults.Fault(""), "SageMaker.JOB_INTERNAL_ERROR"),
        (faults.CapacityError(""), "SageMaker.CAPACITY_ERROR"),
        (SetupError(""), "SageMaker.JOB_INTERNAL_ERROR"),
        (SourceUnavailable(""), ""),
        (DiskFull(""), "SageMaker.RESOURCE_LIMIT"),
        (StoreBusy(""), "Step.THROTTLING"),
        (StoreError("no such object"), ""),
        (DefinitionError(""), ""),
    ],
)
def test_what_a_retry_policy_knows_a_failure_by(error, kind) -> None:
    assert faults.exception_type(error) == kind


def test_errors_of_the_system_are_faults_where_the_machine_has_no_more_to_give() -> None:
    assert isinstance(faults.of_system(OSError(errno.ENOMEM, "")), faults.ResourceLimit)
    assert isinstance(faults.of_system(OSError(errno.EADDRINUSE, "")), faults.CapacityError)
    assert faults.of_system(OSError(errno.EACCES, "")) is None
