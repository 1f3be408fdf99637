"""train.py as the toolkit runs it: interrupted, killed, fed with bad customers, and still right."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from trainyard.in_image.archives import read_archive

CUSTOMERS = 10
SLOWLY = ("--engine", "stan")  # so that there is time to interrupt it


@pytest.fixture
def fleet(fleet_of, tmp_path):
    """The base folder of ten customers who are ready to be trained."""
    return fleet_of(tmp_path / "opt-ml", "--customers", str(CUSTOMERS))


@pytest.fixture
def start(family_python, environment, module):
    """Start train.py and leave it running; a function waits for a line of its log."""
    running = []

    def start(base, *arguments):
        script = Path(module("train").__file__)
        process = subprocess.Popen(
            [str(family_python), str(script), *arguments],
            env=environment(base), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        running.append(process)

        def until(pattern):
            for line in process.stdout:
                if re.search(pattern, line):
                    return
            raise AssertionError(f"ended without {pattern!r}")

        return process, until

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def workers(base):
    """The processes that have this job's folder in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            dead = "\nState:\tZ" in (folder / "status").read_text()
            if not dead and str(base).encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def command(pid):
    with suppress(FileNotFoundError, ProcessLookupError):  # those of Stan come and go
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def wait_for_nobody(base, seconds=5):
    until = time.monotonic() + seconds
    while workers(base) and time.monotonic() < until:
        time.sleep(0.02)
    assert workers(base) == []


def archives(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.tar.gz")}


def fitted(text):
    return set(re.findall(r"model:seconds=\S+; (\S+)", text))


def test_one_archive_per_customer(trained):
    log = (trained / "train.py.log").read_text()
    assert fitted(log) == {"customer_0", "customer_1", "customer_2"}
    assert archives(trained / "model") == archives(trained / "checkpoints")
    assert set(archives(trained / "model")) == {f"customer_{number}.tar.gz" for number in range(3)}
    files = read_archive(trained / "model" / "customer_1.tar.gz")
    assert set(files) == {"model.json"}
    assert json.loads(files["model.json"])["provenance"]["customer"] == "customer_1"
    report = json.loads((trained / "output/data/training_report.json").read_text())
    assert (report["customers"], report["failed"], report["metrics"]["models:fitted"]) == (3, [], 3)
    assert re.search(r"train:mae=\S+; train:mape=\S+; train:failed=0; models:fitted=3; models:reused=0;", log)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_interrupted_and_resumed_no_customer_is_fitted_twice(fleet, start, run, end):
    process, until = start(fleet, *SLOWLY)
    until(r"models:done=3;")
    sent = time.monotonic()
    process.send_signal(end)
    assert process.wait(10) == (-end if end == signal.SIGKILL else 128 + end)
    assert time.monotonic() - sent < 5
    wait_for_nobody(fleet)
    whole = archives(fleet / "checkpoints")
    assert 3 <= len(whole) < CUSTOMERS
    (fleet / "checkpoints" / ".customer_9.tar.gz.1.tmp").write_bytes(b"half")

    ran = run("train.py", fleet, *SLOWLY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"models:fitted={CUSTOMERS - len(whole)}; models:reused={len(whole)};" in ran.stdout
    assert len(fitted(ran.stdout)) == CUSTOMERS - len(whole)
    assert not fitted(ran.stdout) & {name.removesuffix(".tar.gz") for name in whole}
    assert archives(fleet / "checkpoints").items() >= whole.items()
    assert archives(fleet / "model") == archives(fleet / "checkpoints")
    assert len(archives(fleet / "model")) == CUSTOMERS
    assert [path.name for path in (fleet / "checkpoints").glob(".*")] == []


def test_a_killed_worker_is_replaced(fleet, start):
    process, until = start(fleet, *SLOWLY)
    until(r"models:done=2;")
    victims = [pid for pid in workers(fleet) if "spawn_main" in command(pid)]
    os.kill(victims[0], signal.SIGKILL)
    until(rf"models:fitted={CUSTOMERS};")
    assert process.wait(10) == 0
    assert len(archives(fleet / "model")) == CUSTOMERS


def test_what_changed_is_fitted_again(trained, run, tmp_path):
    base = tmp_path / "opt-ml"
    shutil.copytree(trained / "checkpoints", base / "checkpoints")
    shutil.copytree(trained / "processing/train", base / "input/data/training")
    damaged = base / "checkpoints/customer_1.tar.gz"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with (base / "input/data/training/customer_2.csv").open("a") as stream:
        stream.write("2026-01-23,5\n")
    ran = run("train.py", base)
    assert fitted(ran.stdout) == {"customer_1", "customer_2"}
    assert "checkpoint is damaged, fitting it again" in ran.stdout
    assert "checkpoint customer_2.tar.gz has other data or hyperparameters" in ran.stdout
    assert (damaged.read_bytes(), 3) == (
        (trained / "model" / damaged.name).read_bytes(),
        len(archives(base / "model")),
    )
    ran = run("train.py", base, "--n_changepoints", "5", "--processes", "1")
    assert "models:fitted=3; models:reused=0;" in ran.stdout


@pytest.fixture
def small(tmp_path):
    """Three good customers, one constant, and two that cannot be fitted; no checkpoint folder."""
    channel = tmp_path / "input/data/training"
    channel.mkdir(parents=True)
    for name in ("a", "b%20b", "c"):
        rows = "".join(f"2024-01-{day:02},{day % 7 + len(name)}\n" for day in range(1, 31))
        (channel / f"{name}.csv").write_text(f"ds,y\n{rows}")
    (channel / "flat.csv").write_text("ds,y\n2024-01-01,5\n2024-01-02,5\n2024-01-03,5\n")
    (channel / "%2E.%2Fone.csv").write_text("ds,y\n2024-01-01,5\n")
    (channel / "other.csv").write_text("when,what\n2024-01-01,5\n")
    return tmp_path


def test_bad_customers_are_listed(small, run):
    ran = run("train.py", small, "--max_failed_share", "0.34", SM_HOSTS='["algo-1"]')
    assert ran.returncode == 0, ran.stderr
    assert set(archives(small / "model")) == {"a.tar.gz", "b%20b.tar.gz", "c.tar.gz", "flat.tar.gz"}
    report = json.loads((small / "output/data/training_report.json").read_text())
    assert {entry["customer"]: entry["reason"] for entry in report["failed"]} == {
        "../one": "1 usable rows, Prophet needs at least 2",
        "other": "needs the columns ds and y, has ['when', 'what']",
    }
    assert not (small / "output/failure").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--growth", "cubic"), "--growth: invalid choice: 'cubic' (choose from"),
        (("--changepoint_prior", "1"), "unrecognized arguments: --changepoint_prior 1"),
        (("--country_holidays", "Atlantis"), "country_holidays='Atlantis' is no country code"),
        (("--training", "/nowhere"), "no customer files ({customer}.csv with columns ds, y) in /nowhere"),
        (("--model-dir", "/dev/null/x"), "Not a directory"),
    ],
)
def test_failures_are_one_line_and_a_file(small, run, arguments, message):
    ran = run("train.py", small, *arguments)
    assert ran.returncode == 1
    assert message in (small / "output/failure").read_text()
    assert ran.stderr.startswith("training failed: ") and ran.stderr.count("\n") == 1


def test_no_model_at_all_is_always_a_failure(small, run):
    for path in (small / "input/data/training").glob("*.csv"):
        path.write_text("ds,y\n")
    ran = run("train.py", small, "--max_failed_share", "1")
    assert ran.returncode == 1
    assert "6 of 6 customers could not be fitted" in (small / "output/failure").read_text()


def test_an_empty_shard_is_no_failure_among_several_hosts(small, run):
    ran = run(
        "train.py", small, "--training", "/nowhere", SM_HOSTS='["algo-1", "algo-2"]', SM_CURRENT_HOST="algo-2"
    )
    assert ran.returncode == 0, ran.stderr
    assert "this host's shard is empty" in ran.stdout
    assert (small / "output/data/training_report-algo-2.json").exists()


def test_a_full_disk_is_a_clear_failure(small, run):
    model = small / "model"
    model.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(model)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system to fill cannot be mounted here")
    try:
        ran = run("train.py", small)
        assert ran.returncode == 1
        assert "No space left on device: " in (small / "output/failure").read_text()
        assert [path for path in model.iterdir() if path.name.endswith(".tmp")] == []
        for name in archives(model):
            assert read_archive(model / name)
    finally:
        subprocess.run(["umount", str(model)], check=True)


def test_the_toolkit_keeps_the_reason(small, family_python, environment, module):
    """sagemaker-training runs the script, with hyperparameters as SageMaker has them: all of them text."""
    config = small / "input/config"
    config.mkdir()
    (small / "code").symlink_to(Path(module("train").__file__).parent)
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    for name, content in (
        ("hyperparameters", {"max_failed_share": "0.33", "weekly_seasonality": "true"}),
        ("inputdataconfig", {"training": {"TrainingInputMode": "File"}}),
        ("resourceconfig", hosts | {"current_group_name": "g", "current_instance_type": "ml.c5.xlarge"}),
    ):
        (config / f"{name}.json").write_text(json.dumps(content))
    variables = environment(small, SAGEMAKER_PROGRAM="train.py", SM_STUDIO_LOCAL_MODE="True")
    ran = subprocess.run(
        [str(family_python), "-m", "trainyard.in_image.train"], env=variables, capture_output=True, text=True
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    reason = (small / "output/failure").read_text()
    assert reason.startswith("2 of 6 customers could not be fitted, max_failed_share is 0.33; the first: ")
    assert len(archives(small / "model")) == 4
