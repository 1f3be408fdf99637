from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT, wait_until
from tests.hosted import Hosted, serving_venv
from trainyard.cli.local import Local
from trainyard.cli.reachable import reachable
from trainyard.execution import functions
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws import endpoint
from trainyard.local_aws.record import Record, Running

SOURCE = """
import boto3, os, pathlib, time
def handler(event, context):
    keys = boto3.client("s3").list_objects_v2(Bucket="bucket").get("Contents", [])
    pathlib.Path(event["folder"], "called").write_text(os.environ["AWS_ENDPOINT_URL"])
    while event["wait"] and not pathlib.Path(event["folder"], "go").exists():
        time.sleep(0.05)
    return {"n": len(keys)}
"""


def call(**more) -> dict:
    return {
        "Name": "Call", "Type": "Lambda", "FunctionArn": "count", "Arguments": {},
        "OutputParameters": [{"OutputName": "n", "OutputType": "Integer"}], **more,
    }  # fmt: skip


def in_branch(step: dict) -> dict:
    condition = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    arguments = {"Conditions": [condition], "IfSteps": [step], "ElseSteps": []}
    return {"Name": "Check", "Type": "Condition", "Arguments": arguments}


def document(*steps: dict) -> dict:
    return {"Version": "2020-12-01", "Steps": list(steps)}


@pytest.fixture
def here(home) -> Local:
    found = Local(lambda event: None)
    found.store.objects.put_bytes(b"one", parse_uri("s3://bucket/one"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", SOURCE)
    settings = {"Runtime": "python3.11", "Handler": "main.handler", "Timeout": 60}
    functions.create(found.store, "count", settings, content.getvalue())
    return found


def test_functions_of_a_branch_reach_the_store_and_afterwards_nothing_answers(here, tmp_path):
    step = call(Arguments={"folder": str(tmp_path), "wait": False})
    definition = document(in_branch(step))
    with reachable(here, definition):
        finished = here.executor.start(definition, "p", {})
        assert Record(here.store.home).read() is None  # nobody else is to use it

    assert finished.status == "Succeeded", finished.reason
    assert here.store.state.step(finished.execution, "Call")["result"] == {"OutputParameters": {"n": 1}}
    assert not answers((tmp_path / "called").read_text())
    assert here.executor.endpoint_url == ""


def test_what_calls_no_function_or_has_an_endpoint_starts_none(here):
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    with reachable(here, document(stop)):
        assert here.executor.endpoint_url == ""
    record = Record(here.store.home)
    with record.held():
        record.write(Running(pid=os.getpid(), url="http://127.0.0.1:1", started=0.0))
        other = Local(lambda event: None)
        with reachable(other, document(call())):
            assert other.executor.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_run_leaves_nothing_that_answers(here, tmp_path, number):
    definition = tmp_path / "waits.json"
    definition.write_text(json.dumps(document(call(Arguments={"folder": str(tmp_path), "wait": True}))))
    command = [sys.executable, "-m", "trainyard.cli", "run", "--definition", str(definition)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "shared")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until((tmp_path / "called").exists)
    url = (tmp_path / "called").read_text()
    children = below(process.pid)
    assert answers(url) and any("rclone" in each for each in children.values())
    process.send_signal(number)
    if number == signal.SIGINT:
        (tmp_path / "go").touch()  # a stop waits for the function
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    assert not answers(url)
    assert Record(here.store.home).read() is None


def test_an_endpoint_that_a_function_deploys_outlives_the_run_and_answers(
    here, cli, tmp_path, environments, namespaces
):
    venv = serving_venv(tmp_path)
    hosted = Hosted(here.store, environments, venv)
    container = {"Image": "image", "ModelDataUrl": hosted.data("one"), "Environment": {"SLOW_START": "1"}}
    package = here.store.registry.register(
        "boxes",
        {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Approved"},
        {},
    )
    event = {
        "endpoint_name": "boxes", "model_package_arn": package, "instance_type": "ml.m5.large",
        "role": "arn:aws:iam::000000000000:role/any",
    }  # fmt: skip
    outputs = [{"OutputName": name, "OutputType": "String"} for name in ("EndpointArn", "Status")]
    step = call(FunctionArn="deploy_endpoint", Arguments=event, OutputParameters=outputs)
    (tmp_path / "deploy.json").write_text(json.dumps(document(step)))
    request, given = tmp_path / "request.csv", ("--map", f"image=venv:{venv}")
    request.write_text("x")

    ended = cli("run", "--definition", tmp_path / "deploy.json", *given)
    assert ended.code == 0, ended.err
    (row,) = here.store.state.steps(here.store.execution("last")["id"])
    assert row["result"]["OutputParameters"]["Status"] == "Creating"  # the run's end waited for more
    assert (
        "endpoint: boxes is InService\n  ask it: trainyard invoke boxes FILE; trainyard local up" in ended.out
    )
    answer = cli("invoke", "boxes", request, *given)
    assert (answer.code, answer.out) == (0, "one:x")
    assert "starting endpoint boxes for this request" in answer.err
    request.write_text("fail418")
    assert "the endpoint answered 424: " in cli("invoke", "boxes", request, *given).err

    request.write_text("y")
    record = Record(here.store.home)
    with record.held(), endpoint.private(here.store, lambda url: hosted.machine) as url:
        record.write(Running(pid=os.getpid(), url=url, started=0.0))
        assert cli("invoke", "boxes", request)[:] == (0, "one:y", "")


def answers(url: str) -> bool:
    try:
        urlopen(url).close()
    except HTTPError:
        return True
    except URLError:
        return False
    return True


def below(pid: int) -> dict[int, str]:
    """The processes that a process has started, and those that they have, with their command lines."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = f"{parent} {(folder / 'cmdline').read_text()}"
        except OSError:
            continue
    ancestors = {pid}
    for _ in found:
        ancestors |= {each for each, text in found.items() if int(text.split()[0]) in ancestors}
    return {each: found[each] for each in ancestors - {pid}}
