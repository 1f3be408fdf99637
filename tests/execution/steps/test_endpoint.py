"""Model, EndpointConfig and Endpoint steps, with hosts that keep what they deploy and without."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import replace

import pytest

from tests.conftest import wait_until
from tests.hosted import Hosted, serving_venv
from trainyard.definition.document import parse
from trainyard.execution.container import Invocation
from trainyard.execution.fleet import Asked
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run
from trainyard.execution.step import run_step

STEPS = [
    {
        "Name": "Config",
        "Type": "EndpointConfig",
        "Arguments": {"ProductionVariants": [{"VariantName": "v", "ModelName": {"Get": "Parameters.Model"}}]},
    },
    {
        "Name": "Deploy",
        "Type": "Endpoint",
        "Arguments": {
            "EndpointName": "e",
            "EndpointConfigName": {"Get": "Steps.Config.EndpointConfigName"},
            "Tags": [],
        },
    },
]


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def world(store, environments, venv, namespaces):
    world = Hosted(store, environments, venv)
    yield world
    world.hosts.close()


@pytest.fixture
def start(world, definition):
    """Both steps, in an execution of their own; the answer is how the second one ended."""

    def start(execution: str, model: str, machine, stop: StopSignal | None = None):
        parameters = [{"Name": "Model", "Type": "String"}]
        document = parse({**definition(*STEPS), "Parameters": parameters})
        run = Run(
            machine=machine, document=document, parameters={"Model": model}, execution_id=execution, pipeline="p",
            started=time.time(), stop=stop or StopSignal(), watch=lambda event: None,
        )  # fmt: skip
        world.store.state.add_execution(execution, "p", {}, {}, {})
        assert run_step(run, document.by_name["Config"]).status == "Succeeded"
        return run_step(run, document.by_name["Deploy"])

    return start


def living(store) -> int:
    found = subprocess.run(
        ["pgrep", "-f", str(store.home / "hosts")], capture_output=True, text=True, check=False
    )
    return len(found.stdout.split())


def answer(world) -> bytes:
    return world.hosts.invoke("e", Invocation(body=b"x"), Asked()).reply.body


def test_without_hosts_the_endpoint_is_tried_recorded_and_stopped(world, start):
    world.model("a")
    end = start("one", "a", world.machine)
    assert (end.status, end.metadata) == (
        "Succeeded",
        {"Endpoint": {"Arn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"}},
    )
    assert (end.result["EndpointStatus"], "Deployment" in end.result) == ("InService", False)
    assert end.result["EndpointConfigName"].startswith("pipelines-one-Config-")
    assert living(world.store) == 0
    assert answer(world) == b"a:x"


def test_with_hosts_it_goes_on_and_the_next_execution_updates_it(world, start):
    machine = replace(world.machine, hosts=world.hosts)
    for execution, model in (("one", "a"), ("two", "b")):
        world.model(model)
        assert start(execution, model, machine).status == "Succeeded"
        assert living(world.store) > 0
        assert answer(world) == f"{model}:x".encode()
    world.model("bad", environment={"FAIL_START": "no licence"})
    end = start("three", "bad", machine)
    assert end.status == "Failed"
    assert "endpoint e: " in end.failure
    assert "no licence" in end.failure
    assert answer(world) == b"b:x"


def test_a_stop_ends_a_deployment(world, start):
    world.model("slow", environment={"SLOW_START": "60"})
    stop, ends = StopSignal(), []
    thread = threading.Thread(target=lambda: ends.append(start("one", "slow", world.machine, stop)))
    thread.start()
    wait_until(lambda: living(world.store) > 0)
    stop.request()
    thread.join(20)
    assert [end.status for end in ends] == ["Stopped"]
    assert living(world.store) == 0
