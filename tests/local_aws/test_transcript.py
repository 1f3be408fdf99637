"""An afternoon of a user, with clients that nobody here wrote: the scripts in clients/ import no trainyard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, wait_until

CLIENTS = Path(__file__).with_name("clients")
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/line@sha256:" + "0" * 64


class Afternoon:
    """A store of its own, with the local endpoint on it; scripts see nothing but what ``local env`` prints."""

    def __init__(self, home: Path, venv: Path) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "TRAINYARD_HOME": str(home),
        }
        self.home = home
        self.map = f"{IMAGE}=venv:{venv}"

    def trainyard(self, *arguments: str) -> str:
        return self.command("local", *arguments)

    def command(self, *arguments: str, code: int = 0) -> str:
        ended = subprocess.run(
            [str(ROOT / "trainyard"), *arguments],
            env=self._environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    def up(self) -> None:
        self.trainyard("up", "--port", "0", "--map", self.map)

    def status(self) -> dict[str, object]:
        status: dict[str, object] = json.loads(self.trainyard("status", "--json"))
        return status

    def run(self, *command: str, seconds: float = 240) -> str:
        """Run a client to its end; what it prints."""
        client = {
            "HOME": self._environment["TRAINYARD_HOME"],
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        }
        variables = json.loads(self.trainyard("env", "--json"))
        ended = subprocess.run(
            command, env={**client, **variables}, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-3000:]}\n{ended.stderr[-6000:]}"
        return ended.stdout

    def script(self, name: str, *arguments: str) -> str:
        return self.run("python", str(CLIENTS / name), *arguments)

    def aws(self, *arguments: str) -> str:
        return self.run("aws", *arguments)


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory: pytest.TempPathFactory, namespaces: None) -> Iterator[Afternoon]:
    folder = tmp_path_factory.mktemp("afternoon")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(venv)], check=True)
    # the image has boto3, as the SageMaker images have
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "host.pth").write_text(next(p for p in sys.path if p.endswith("site-packages")))
    for program in (CLIENTS / "image").iterdir():
        (venv / "bin" / program.name).write_text(program.read_text())
        (venv / "bin" / program.name).chmod(0o755)
    made = Afternoon(folder / "store", venv)
    made.up()
    yield made
    made.trainyard("down")


def test_data_and_a_role(afternoon: Afternoon) -> None:
    assert "clients" in afternoon.script("prepare.py")


def test_a_pipeline_of_the_sdk_runs_and_runs_again_from_the_cache(afternoon: Afternoon) -> None:
    printed = afternoon.script("pipeline.py", IMAGE)
    assert "2 Succeeded" in printed
    note = json.loads(afternoon.aws("s3", "cp", "s3://clients/notes/model.json", "-"))
    assert note["model"].endswith("/output/model.tar.gz")


def test_jobs_of_the_sdk_are_waited_for_with_their_logs(afternoon: Afternoon) -> None:
    printed = afternoon.script("train_and_wait.py", IMAGE)
    assert "trained and processed" in printed


def test_twelve_trials_four_at_a_time(afternoon: Afternoon) -> None:
    assert "12 trials" in afternoon.script("tune.py", IMAGE)


def test_functions_of_the_sdk_are_steps_where_python_is_the_same(
    afternoon: Afternoon, tmp_path: Path
) -> None:
    exported = tmp_path / "functions.json"
    assert "3.0" in afternoon.script("functions.py", IMAGE, str(exported))
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    exported.write_text(exported.read_text().replace(f'"{here}"', '"3.7"'))
    printed = afternoon.command("run", "--definition", str(exported), "--map", afternoon.map, code=30)
    reason = f"Python version found in the container is '{here}' which does not match python version '3.7'"
    assert reason in printed


def test_two_variants_outlive_a_kill_of_the_endpoint_and_share_the_traffic_as_told(
    afternoon: Afternoon,
) -> None:
    assert "InService" in afternoon.script("deploy.py", IMAGE)
    before = afternoon.status()
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{before['pid']}").exists())
    afternoon.up()
    assert afternoon.status()["pid"] != before["pid"]
    assert "-> {'registered': 20}" in afternoon.script("shift.py")


def test_a_file_is_transformed(afternoon: Afternoon) -> None:
    assert "1,3.0" in afternoon.script("transform.py")


def test_the_aws_cli_shows_what_happened(afternoon: Afternoon) -> None:
    packages = json.loads(
        afternoon.aws("sagemaker", "list-model-packages", "--model-package-group-name", "lines")
    )
    statuses = [package["ModelApprovalStatus"] for package in packages["ModelPackageSummaryList"]]
    assert sorted(statuses) == ["Approved", "PendingManualApproval"]
    assert "points.csv" in afternoon.aws("s3", "ls", "s3://clients/points/")
    assert "captured" in afternoon.aws("s3", "ls", "s3://clients/")
    group = "/aws/sagemaker/TrainingJobs"
    logs = json.loads(
        afternoon.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "loss")
    )
    assert len(logs["events"]) >= 12
    executions = json.loads(afternoon.aws("sagemaker", "list-pipeline-executions", "--pipeline-name", "line"))
    assert len(executions["PipelineExecutionSummaries"]) == 2
    told = json.loads(afternoon.aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/notify"))
    assert any("told" in event["message"] for event in told["events"])


def test_nothing_outlives_the_endpoint(afternoon: Afternoon) -> None:
    afternoon.trainyard("down")
    store = os.fsencode(afternoon.home)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if store in _read(path)]
    assert left == []
    afternoon.up()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
