from __future__ import annotations

import json
import os
import resource
import select
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from urllib.request import urlopen

import pytest

from tests.conftest import free_port, wait_until
from trainyard.local_aws.record import Record, Running


@pytest.fixture
def up(cli):
    """The endpoint of this test's store, up on a free port; it ends with the test."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, files[1]))
    started = cli("local", "up", "--port", "0")
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    assert started.code == 0, started.err
    yield json.loads(cli("local", "status", "--json").out)
    assert cli("local", "down").code == 0


def test_up_status_env_and_down(cli, up, home):
    assert up["up"]
    assert json.load(urlopen(f"{up['url']}/_trainyard/health"))["pid"] == up["pid"]
    assert resource.prlimit(up["pid"], resource.RLIMIT_NOFILE)[0] > 512  # connections are files, too
    again = cli("local", "up", "--port", "0")
    assert (again.code, up["url"] in again.out, "already" in again.out) == (0, True, True)
    assert "--map and --with are read when it starts" not in again.out
    assert "--map and --with are read when it starts" in cli("local", "up", "--map", "a=prophet").out
    assert up["url"] in cli("local", "status").out
    lines = [shlex.split(line) for line in cli("local", "env").out.splitlines()]
    names = dict(word.split("=", 1) for command, word in lines if command == "export")
    assert names["AWS_ENDPOINT_URL"] == up["url"]
    assert names["SAGEMAKER_VALIDATE_ROLE"] == "false"
    assert json.loads(cli("local", "env", "--json").out) == names
    script = "from sagemaker.core.helper.session_helper import Session; print(Session().default_bucket())"
    environment = {**os.environ, **names, "PYTHONWARNINGS": "ignore"}
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[-1] == "trainyard-local"
    process = os.pidfd_open(up["pid"])
    assert cli("local", "down").out == "the local endpoint is down\n"
    assert select.select([process], [], [], 0)[0]  # it has ended, not only said so
    os.close(process)
    assert cli("local", "status").code == 1
    assert json.loads(cli("local", "status", "--json").out) == {"up": False}


def test_a_killed_endpoint_is_seen_to_be_gone_and_can_come_back(cli, up, home):
    os.kill(up["pid"], signal.SIGKILL)
    wait_until(lambda: cli("local", "status").code == 1)
    wait_until(lambda: children_of(str(home)) == [])
    refused = cli("local", "env")
    assert (refused.code, "trainyard local up" in refused.err) == (26, True)
    assert cli("local", "up", "--port", "0").code == 0
    assert cli("local", "status").code == 0


def children_of(home: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "rclone" in line and f"{home}/s3" in line]


def test_what_keeps_it_from_starting_is_told(cli):
    refused = cli("local", "up", "--map", "image=nonsense")
    assert refused.code == 26
    assert "the local endpoint did not start: target 'nonsense': no such family" in refused.err
    assert cli("local", "up", "--port", "70000").code == 2
    assert cli("local", "down").out == "the local endpoint is not up\n"


def test_a_store_that_cannot_be_opened_keeps_nobody_from_ending_it(cli, up, home):
    (home / "state.sqlite3").rename(home / "moved")
    (home / "state.sqlite3").mkdir()
    assert cli("local", "status").code == 0
    assert cli("local", "down").out == "the local endpoint is down\n"


@pytest.fixture
def ghost(home):
    """Be recorded as an endpoint: the answer takes a process and an address."""
    with ExitStack() as stack:

        def make(pid: int, url: str) -> ExitStack:
            record = Record(home)
            stack.enter_context(record.held())
            (record.folder / "lock").write_text(str(pid))
            record.write(Running(pid=pid, url=url, started=1.0))
            return stack

        yield make


def test_down_of_one_that_ends_by_itself_is_no_error(cli, ghost):
    gone = subprocess.Popen(["true"])
    gone.wait()
    held = ghost(gone.pid, "http://127.0.0.1:1")
    ending = threading.Timer(0.2, held.close)
    ending.start()
    assert cli("local", "down") == (0, "the local endpoint is down\n", "")
    ending.join()


def test_down_waits_for_no_other_than_it_ends(cli, ghost, home):
    gone = subprocess.Popen(["true"])
    gone.wait()
    ghost(gone.pid, "http://127.0.0.1:1")
    started = threading.Timer(
        0.2, Record(home).write, [Running(pid=os.getpid(), url="http://127.0.0.1:2", started=2.0)]
    )
    started.start()
    assert cli("local", "down").out == "the local endpoint is down\n"
    started.join()


def test_interrupting_where_nobody_answers_is_told_in_a_line(cli, ghost):
    ghost(os.getpid(), f"http://127.0.0.1:{free_port()}")
    refused = cli("local", "interrupt", "job")
    assert (refused.code, refused.err.count("\n")) == (26, 1)
    assert "the local endpoint does not answer" in refused.err


def test_interrupting_a_job_that_does_not_run_is_refused(cli, up):
    refused = cli("local", "interrupt", "no such/job")
    assert (refused.code, "no training-job 'no such/job'" in refused.err) == (26, True)


ASKS = """
import os, pathlib, urllib.request
health = urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_trainyard/health").read()
pathlib.Path("/opt/ml/processing/made/health.json").write_bytes(health)
"""


def test_jobs_of_a_run_find_the_endpoint_that_is_up(cli, up, plain_venv, namespaces, tmp_path) -> None:
    (tmp_path / "main.py").write_text(ASKS)
    assert cli("s3", "cp", str(tmp_path / "main.py"), "s3://b/code/main.py").code == 0
    base = "/opt/ml/processing"
    arguments = {
        "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["python3", f"{base}/code/main.py"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
        "ProcessingInputs": [
            {"InputName": "code", "S3Input": {"S3Uri": "s3://b/code/", "LocalPath": f"{base}/code"}}
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "m", "S3Output": {"S3Uri": "s3://b/made", "LocalPath": f"{base}/made"}}
            ]
        },
    }
    step = {"Name": "Ask", "Type": "Processing", "Arguments": arguments}
    (tmp_path / "definition.json").write_text(json.dumps({"Version": "2020-12-01", "Steps": [step]}))
    ran = cli("run", "--definition", str(tmp_path / "definition.json"), "--map", f"i=venv:{plain_venv}")
    assert ran.code == 0, ran.err
    assert cli("s3", "cp", "s3://b/made/health.json", str(tmp_path / "health.json")).code == 0
    assert json.loads((tmp_path / "health.json").read_text())["pid"] == up["pid"]
