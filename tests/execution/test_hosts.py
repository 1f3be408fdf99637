"""Endpoints of real processes: deployed, asked, changed under load, broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.hosted import Hosted, serving_venv
from trainyard.errors import AlreadyExists, Conflict, DiskFull, NotFound
from trainyard.execution.container import Invocation
from trainyard.execution.endpoint_records import described
from trainyard.execution.fleet import Asked, log_folder
from trainyard.execution.hosts import Hosts
from trainyard.execution.model_data import ModelError
from trainyard.execution.store import Store


@pytest.fixture(scope="module")
def venv(tmp_path_factory) -> Path:
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def world(store, environments, venv, namespaces):
    world = Hosted(store, environments, venv)
    yield world
    world.hosts.close()


def ask(hosts: Hosts, body: str = "x", variant: str = "", name: str = "e", **more: str) -> str:
    invocation = Invocation(body=body.encode(), content_type="text/csv", **more)
    return hosts.invoke(name, invocation, Asked(variant=variant)).reply.body.decode()


def status(world: Hosted, name: str = "e") -> str:
    return world.hosts.records.get(name)["EndpointStatus"]


def living(store: Store) -> int:
    """Processes that serve out of this store."""
    found = subprocess.run(
        ["pgrep", "-f", str(store.home / "hosts")], capture_output=True, text=True, check=False
    )
    return len(found.stdout.split())


def test_weights_share_the_traffic_and_can_be_shifted(world):
    world.deployed()
    assert ask(world.hosts, "1,2") in ("a:1,2", "b:1,2")
    shares = Counter(ask(world.hosts)[0] for _ in range(400))
    # 300 expected of 400, standard deviation 8.7: five of them are missed once in two million runs
    assert 256 < shares["a"] < 344
    assert ask(world.hosts, variant="b") == "b:x"
    world.hosts.share("e", {"a": {"DesiredWeight": 0.0, "DesiredInstanceCount": 2}})
    assert {ask(world.hosts)[0] for _ in range(50)} == {"b"}
    a, b = described(world.hosts.records.get("e"))["ProductionVariants"]
    assert (a["CurrentWeight"], a["DesiredWeight"], a["CurrentInstanceCount"]) == (0.0, 0.0, 2)
    assert (b["CurrentWeight"], b["CurrentInstanceCount"]) == (1.0, 1)
    with pytest.raises(NotFound, match='"c" is/are not present within endpoint configuration "config"'):
        world.hosts.share("e", {"c": {"DesiredWeight": 1.0}})
    with pytest.raises(ModelError, match="Variant c not found"):
        ask(world.hosts, variant="c")


def test_an_update_loses_no_request(world):
    world.deployed(SLOW="0.05")  # somebody is being answered at any time
    world.model("new", environment={"SLOW_START": "0.5"})
    world.config("next", {"new": 1})
    seen, failed, stop = Counter(), [], threading.Event()

    def load() -> None:
        while not stop.is_set():
            try:
                seen[ask(world.hosts).partition(":")[0]] += 1
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    deploy = world.hosts.update("e", "next")
    assert status(world) == "Updating"
    with pytest.raises(Conflict, match="Cannot update in-progress endpoint"):
        world.hosts.update("e", "config")
    assert deploy() == ""
    before = seen["new"]
    wait_until(lambda: seen["new"] > before + 20)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert seen["a"] and seen["b"] and seen["new"]
    document = described(world.hosts.records.get("e"))
    assert (document["EndpointStatus"], document["EndpointConfigName"]) == ("InService", "next")
    assert [each["VariantName"] for each in document["ProductionVariants"]] == ["new"]
    assert {ask(world.hosts)[:3] for _ in range(20)} == {"new"}


def test_how_a_change_ended_is_recorded_once_there_is_room(world, monkeypatch):
    world.model("bad", environment={"FAIL_START": "no licence"})
    world.config("config", {"bad": 1})
    write, full = world.hosts.records.give_up, [True]

    def give_up(name: str, reason: str) -> None:
        if full.pop() if full else False:
            raise DiskFull("no space left")
        write(name, reason)

    monkeypatch.setattr(world.hosts.records, "give_up", give_up)
    assert "no licence" in world.hosts.create("e", "config")()
    assert status(world) == "Creating"
    wait_until(lambda: status(world) == "Failed")


def test_a_failed_start_says_why_and_a_failed_update_leaves_what_served(world):
    world.model("bad", environment={"FAIL_START": "no licence"})
    world.config("broken", {"bad": 1})
    reason = world.hosts.create("f", "broken")()
    document = described(world.hosts.records.get("f"))
    assert document["EndpointStatus"] == "Failed"
    assert document["FailureReason"] == reason
    assert "ended before it answered /ping: exit code 1: no licence" in reason
    with pytest.raises(ModelError, match="Endpoint f of account 000000000000 not found; it is Failed"):
        ask(world.hosts, name="f")
    with pytest.raises(Conflict, match="it is Failed; delete it"):
        world.hosts.update("f", "broken")
    world.deployed()
    assert "no licence" in world.hosts.update("e", "broken")()
    document = described(world.hosts.records.get("e"))
    assert (document["EndpointStatus"], document["EndpointConfigName"]) == ("InService", "config")
    assert "no licence" in document["FailureReason"]
    assert ask(world.hosts, variant="a") == "a:x"


def test_what_is_retained_in_an_update(world):
    world.deployed()
    world.hosts.share("e", {"a": {"DesiredWeight": 9.0, "DesiredInstanceCount": 4}})
    world.config("same", {"a": 1, "b": 1})
    assert world.hosts.update("e", "same", frozenset({"DesiredWeight"}))() == ""
    a, b = world.hosts.records.get("e")["ProductionVariants"]
    assert (a["CurrentWeight"], a["DesiredInstanceCount"], b["CurrentWeight"]) == (9.0, 1, 1.0)


def test_names_that_are_taken_or_unknown(world):
    world.deployed()
    with pytest.raises(AlreadyExists, match=r'Cannot create already existing endpoint "arn:.*/e"'):
        world.hosts.create("e", "config")
    with pytest.raises(NotFound, match="Could not find endpoint configuration"):
        world.hosts.create("g", "none")
    with pytest.raises(NotFound, match='Could not find endpoint "arn:'):
        world.hosts.delete("g")
    with pytest.raises(ModelError, match="Endpoint g of account 000000000000 not found"):
        ask(world.hosts, name="g")


def test_deleting_ends_the_containers_also_while_they_start(world):
    world.deployed()
    assert living(world.store) > 0
    world.hosts.delete("e")()
    with pytest.raises(NotFound):
        world.hosts.records.get("e")
    assert living(world.store) == 0
    assert list(log_folder(world.store, "e").glob("a/*/container-1/algo-1.log"))
    world.model("slow", environment={"SLOW_START": "60"})
    world.config("slow", {"slow": 1})
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(world.hosts.create("s", "slow"))
        wait_until(lambda: living(world.store) > 0)
        world.hosts.delete("s")()
        assert deploying.result(30) != ""
    with pytest.raises(NotFound):
        world.hosts.records.get("s")
    assert living(world.store) == 0


def test_one_that_is_being_created_is_refused_and_not_waited_for(world):
    world.model("slow", environment={"SLOW_START": "60"})
    world.config("slow", {"slow": 1})
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(world.hosts.create("e", "slow"))
        wait_until(lambda: living(world.store) > 0)
        try:
            began = time.monotonic()
            with pytest.raises(ModelError, match="not found; it is Creating"):
                ask(world.hosts)
            assert time.monotonic() - began < 2
            assert not deploying.done()
        finally:
            world.hosts.cancel("e")


def test_a_process_that_comes_later_serves_what_is_recorded(world):
    world.deployed()
    world.hosts.close()
    assert living(world.store) == 0
    world.store.resources.remove("endpoint-config", "config")  # as AWS allows
    world.store.resources.remove("model", "a")
    later = Hosts(lambda: world.machine)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: ask(later, str(number), "a"), range(8)))
        assert answers == [f"a:{number}" for number in range(8)]
        assert len(list(log_folder(world.store, "e").glob("a/*"))) == 2  # one container each time, not eight
        with pytest.raises(ModelError):
            ask(later, "die", variant="a")
        wait_until(lambda: ask(later, "again", variant="a") == "a:again")
    finally:
        later.close()


def test_several_containers_are_asked_one_after_the_other_or_one_alone(world):
    world.model("first", "second")
    world.config("chain", {"first": 1})
    assert world.hosts.create("e", "chain")() == ""
    assert ask(world.hosts) == "second:first:x"
    failing = world.hosts.invoke("e", Invocation(body=b"fail418"), Asked())
    assert (failing.container, failing.reply.status) == ("container-1", 418)
    model = dict(world.store.resources.get("model", "first"))
    for container, name in zip(model["Containers"], ("one", "two"), strict=True):
        container["ContainerHostname"] = name
    model |= {"ModelName": "direct", "InferenceExecutionConfig": {"Mode": "Direct"}}
    world.store.resources.add("model", "direct", model)
    world.config("direct", {"direct": 1})
    assert world.hosts.create("d", "direct")() == ""
    answered = world.hosts.invoke("d", Invocation(body=b"x"), Asked(container="two"))
    assert answered.reply.body == b"second:x"
    with pytest.raises(ModelError, match="possible: one, two"):
        ask(world.hosts, name="d")


def test_many_models_from_a_prefix_the_least_used_makes_room(world):
    for name in ("m1", "m2", "m3"):
        world.data(name, f"many/{name}.tar.gz")
    container = {"Image": "image", "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/many/"}
    world.store.resources.add("model", "many", {"ModelName": "many", "PrimaryContainer": container})
    world.config("many", {"many": 1})
    assert world.hosts.create("e", "many")() == ""
    for name in ("m1", "m2", "m3", "m1"):
        assert ask(world.hosts, target_model=f"{name}.tar.gz") == name
    with pytest.raises(ModelError, match=r"no model 'm4.tar.gz'"):
        ask(world.hosts, target_model="m4.tar.gz")


def test_a_model_package_is_served_with_what_the_model_adds(world):
    container = {
        "Image": "image",
        "ModelDataUrl": world.data("packaged"),
        "Environment": {"A": "1", "B": "1"},
    }
    request = {"InferenceSpecification": {"Containers": [container]}}
    arn = world.store.registry.register("group", request, {})
    primary = {"ModelPackageName": arn, "Environment": {"B": "2"}}
    world.store.resources.add("model", "p", {"ModelName": "p", "PrimaryContainer": primary})
    world.config("p", {"p": 1})
    assert world.hosts.create("e", "p")() == ""
    assert ask(world.hosts) == "packaged:x"
    variables = json.loads(ask(world.hosts, "env"))
    assert (variables["A"], variables["B"]) == ("1", "2")


KILLED = """
import sys
from pathlib import Path
from hosted import Hosted
from trainyard.execution.environments import Environments
from trainyard.execution.store import Store
home, venv, slow = sys.argv[1:]
world = Hosted(Store(Path(home)), Environments(Path(home) / "venvs"), Path(venv))
world.deployed()
world.model("slow", environment={"SLOW_START": "60"})
world.config("slow", {"slow": 1})
print("deployed", flush=True)
world.hosts.update("e", "slow")()
"""


def test_kill_9_takes_the_containers_along_and_the_endpoint_is_found_as_it_served(
    store, venv, environments, root
):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.home), str(venv), "60"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "shared"), str(root / "tests")])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "deployed\n"
    world = Hosted(store, environments, venv)
    wait_until(lambda: status(world) == "Updating" and living(store) >= 3)
    time.sleep(0.2)
    world.hosts.records.recover()
    assert status(world) == "Updating"  # its process is alive
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    wait_until(lambda: living(store) == 0)
    world.hosts.records.recover()
    document = world.hosts.records.get("e")
    assert (document["EndpointStatus"], document["EndpointConfigName"]) == ("InService", "config")
    assert "the process that deployed it died" in document["FailureReason"]
    try:
        assert ask(world.hosts, variant="b") == "b:x"
    finally:
        world.hosts.close()
