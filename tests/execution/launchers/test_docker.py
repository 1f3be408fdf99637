from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from tests.execution.launchers.conftest import job_request, run_job
from trainyard.errors import DockerError
from trainyard.execution.images import Images
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine

MEET = """
import json, pathlib, socket, sys, time
resources = json.loads(pathlib.Path("/opt/ml/input/config/resourceconfig.json").read_text())
me, hosts = socket.gethostname(), resources["hosts"]
server = socket.create_server(("0.0.0.0", 7777))
found = {}
for host in hosts:
    for _ in range(100):
        try:
            with socket.create_connection((host, 7777), timeout=5) as connection:
                found[host] = connection.getpeername()[0]
            break
        except OSError:
            time.sleep(0.1)
card = pathlib.Path("/sys/class/net", resources["network_interface_name"], "address")
print(json.dumps([me, resources["current_host"], found, card.exists()]), flush=True)
time.sleep(1)
"""


def test_hosts_reach_each_other_by_name_on_a_network_of_their_own(
    launch_in_docker, store, left_behind
) -> None:
    ended, logs, _ = launch_in_docker(MEET, host_count=3)
    assert ended.exit_codes == (0, 0, 0), logs
    answers = [json.loads(log) for log in logs]
    names = ["algo-1", "algo-2", "algo-3"]
    assert [answer[:2] for answer in answers] == [[name, name] for name in names]
    assert all(sorted(answer[2]) == names and answer[3] for answer in answers)
    assert len(set(answers[0][2].values())) == 3
    assert left_behind(store.home) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"command": ("hello", "you")}, "hello you"),
        ({"command": ()}, "training in /opt/ml/code"),
        ({"command": ("train", "--fast"), "arguments_only": True}, "training --fast in /opt/ml/code"),
        ({"command": (), "kind": "Processing"}, "hello by default"),
        ({"command": ("hello", "1"), "arguments_only": True, "kind": "Processing"}, "hello 1"),
    ],
)
def test_what_runs_is_what_sagemaker_would_run(launch_in_docker, more, said: str) -> None:
    ended, [log], _ = launch_in_docker("", **more)
    assert (ended.exit_code, log.strip()) == (0, said)


def test_the_images_own_code_stays_and_the_rest_is_the_jobs(launch_in_docker, store) -> None:
    code = """
import pathlib
ml = pathlib.Path("/opt/ml")
print((ml / "code/own").read_text(), (ml / "input/data/data/file").read_text())
(ml / "model/made").write_text("made"); (ml / "input/mine").write_text("mine")
(ml / "checkpoints/step").write_text("saved")
try:
    (ml / "input/data/data/file").write_text("changed")
except OSError as error:
    print(error.strerror)
"""
    _, [log], [host] = launch_in_docker(code)
    assert log.splitlines() == ["the image's own code original", "Read-only file system"]
    assert (host.ml / "model/made").read_text() == "made"
    assert (host.ml / "input/mine").read_text() == "mine"
    assert store.objects.read(parse_uri("s3://b/ck/step")) == b"saved"
    assert store.objects.read(parse_uri("s3://b/d/file")) == b"original"
    assert {path.stat().st_uid for path in host.ml.rglob("*")} == {os.getuid()}


def test_the_environment_is_the_jobs_own(launch_in_docker, monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    _, [log], _ = launch_in_docker(code)
    environment = json.loads(log)
    assert "AWS_SECRET_ACCESS_KEY" not in environment and "SAGEMAKER_BASE_DIR" not in environment
    assert (environment["MINE"], environment["TRAINING_JOB_NAME"]) == ("1", "job")
    assert environment["PLACE"] == "/opt/ml/model"


@pytest.mark.parametrize("code", [0, 7, 137])
def test_exit_codes_are_the_jobs(launch_in_docker, code: int) -> None:
    assert launch_in_docker(f"import os; os._exit({code})")[0].exit_codes == (code,)


def test_what_cannot_be_started_is_one_line_and_leaves_nothing(launch_in_docker, store, left_behind) -> None:
    with pytest.raises(DockerError, match="no-such-program"):
        launch_in_docker("", command=("no-such-program",), host_count=2)
    assert left_behind(store.home) == []


def test_when_there_is_no_network_left_it_says_what_to_do(store, tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1 $2" = "network create" ] || exit 0\n'
        "echo could not find an available, non-overlapping IPv4 address pool >&2; exit 1\n"
    )
    program.chmod(0o755)
    images = Images(tmp_path)
    images.engine = Engine(program=str(program))
    job = job_request(Target("docker", "any"), ("true",))
    with pytest.raises(DockerError, match=r"address pool; .*docker network prune"):
        run_job(DockerLauncher(images, store.home), store, job, tmp_path)


def test_an_image_that_is_not_there_is_not_pulled_now(images, store, tmp_path: Path, left_behind) -> None:
    job = job_request(Target("docker", "no-such-image:0"), ("true",))
    with pytest.raises(DockerError, match="No such image: no-such-image:0"):
        run_job(DockerLauncher(images, store.home), store, job, tmp_path)
    assert left_behind(store.home) == []


def test_two_jobs_at_once_do_not_meet(images, store, tiny_image: str, tmp_path: Path, left_behind) -> None:
    logs: dict[str, list[str]] = {}

    def run(name: str) -> None:
        job = job_request(Target("docker", tiny_image), ("python3", "-c", MEET), name=name, host_count=2)
        logs[name] = run_job(DockerLauncher(images, store.home), store, job, tmp_path)[1]

    threads = [threading.Thread(target=run, args=[name]) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = {name: set(json.loads(logs[name][0])[2].values()) for name in ("one", "two")}
    assert len(places["one"]) == len(places["two"]) == 2
    assert not places["one"] & places["two"]
    assert left_behind(store.home) == []
