"""The function as Lambda runs it: a process that reaches AWS, here a local endpoint that really serves."""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from tests.conftest import ROOT
from tests.hosted import Hosted, serving_venv
from trainyard.execution import functions
from trainyard.execution.endpoint_records import KIND
from trainyard.execution.request import REGION, client_environment
from trainyard.local_aws import endpoint

ROLE = "arn:aws:iam::000000000000:role/serve"
FOLDER = ROOT / "pipelines" / "lambdas" / "deploy_endpoint"


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def world(store, environments, venv, namespaces):
    return Hosted(store, environments, venv)


@pytest.fixture
def url(world):
    with endpoint.private(world.store, lambda url: world.machine) as url:
        yield url


def client(service: str, url: str) -> Any:
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": REGION}
    return boto3.client(service, endpoint_url=url, **keys)


@pytest.fixture
def sagemaker(url):
    return client("sagemaker", url)


@pytest.fixture
def package(world):
    """Register a version that answers with a name; the answer is its ARN."""

    def register(name: str, status: str = "Approved", **environment: str) -> str:
        container = {"Image": "image", "ModelDataUrl": world.data(name), "Environment": environment}
        if not world.store.registry.groups():
            world.store.registry.create_group("boxes")
        request = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": status}
        return world.store.registry.register("boxes", request, {})

    return register


def event(package: str, **more: Any) -> dict[str, Any]:
    named = {
        "endpoint_name": "boxes",
        "model_package_arn": package,
        "instance_type": "ml.m5.large",
        "role": ROLE,
    }
    return {**named, "wait": 60, **more}


@pytest.fixture
def invoke(store, url):
    """Invoke the function as a Lambda step does, in a process of its own; what it returned or said."""

    def run(payload: dict[str, Any], function: str = "deploy_endpoint") -> Any:
        ended = functions.invoke(store, function, json.dumps(payload).encode(), endpoint_url=url)
        return ended.result["errorMessage"] if ended.error else ended.result

    return run


class Context:
    """What the function asks Lambda's context."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


@pytest.fixture
def call(url, monkeypatch):
    """Call the function in this process, where it need not load boto3 each time."""
    for name, value in client_environment(url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(FOLDER))
    loaded = [importlib.import_module(name) for name in ("wanted", "resources", "lambda_function")]

    def run(package: str, seconds: float = 60, **more: Any) -> Any:
        return loaded[-1].lambda_handler(event(package, **more), Context(seconds))

    yield run
    for module in loaded:
        del sys.modules[module.__name__]


@pytest.fixture
def answers(url):
    """What the endpoint's models answer to so many requests, by how often."""

    def ask(number: int = 1) -> set[str]:
        runtime = client("sagemaker-runtime", url)
        bodies = [
            runtime.invoke_endpoint(EndpointName="boxes", Body=b"x")["Body"].read() for _ in range(number)
        ]
        return {body.decode() for body in bodies}

    return ask


def weights(sagemaker) -> list[float]:
    """Of the endpoint's variants by their version."""
    variants = sagemaker.describe_endpoint(EndpointName="boxes")["ProductionVariants"]
    found = sorted((each["VariantName"], each["CurrentWeight"]) for each in variants)
    return [round(weight, 3) for _, weight in found]


def test_an_endpoint_is_created_updated_and_left_alone_when_it_is_as_wanted(
    invoke, call, package, sagemaker, answers
):
    one, two = package("one"), package("two")
    first = invoke(event(one))
    assert (first["Status"], first["Changed"], answers()) == ("InService", True, {"one:x"})
    made = sagemaker.describe_endpoint(EndpointName="boxes")
    assert made["EndpointArn"] == first["EndpointArn"]
    (variant,) = made["ProductionVariants"]
    assert variant["VariantName"].startswith("v1-")
    assert call(one) == {**first, "Changed": False}
    assert sagemaker.describe_endpoint(EndpointName="boxes")["LastModifiedTime"] == made["LastModifiedTime"]

    second = call(two, instance_count=2)
    assert (second["Changed"], answers()) == (True, {"two:x"})
    assert second["EndpointConfigName"] != first["EndpointConfigName"]
    assert call(one) == first  # back to what it was, by the same names
    assert answers() == {"one:x"}


def test_a_part_of_the_traffic_goes_to_the_new_variant_and_the_rest_stays_in_proportion(
    call, package, sagemaker, answers
):
    one, two, three = package("one"), package("two"), package("three")
    call(one, traffic=0.1)
    assert weights(sagemaker) == [1.0]
    call(two, traffic=0.25)
    assert weights(sagemaker) == [0.75, 0.25]
    assert call(two, traffic=0.25)["Changed"] is False
    assert answers(40) == {"one:x", "two:x"}

    shared = call(two, traffic=0.5)  # the same variants: no new configuration
    assert (shared["Changed"], weights(sagemaker)) == (True, [0.5, 0.5])
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="boxes",
        DesiredWeightsAndCapacities=[
            {"VariantName": each["VariantName"], "DesiredWeight": 3.0, "DesiredInstanceCount": 4}
            for each in sagemaker.describe_endpoint(EndpointName="boxes")["ProductionVariants"]
            if each["VariantName"].startswith("v1-")
        ],
    )
    call(three, traffic=0.3)
    assert weights(sagemaker) == [0.6, 0.1, 0.3]
    counts = {
        each["VariantName"][:2]: each["CurrentInstanceCount"]
        for each in sagemaker.describe_endpoint(EndpointName="boxes")["ProductionVariants"]
    }
    assert counts == {"v1": 4, "v2": 1, "v3": 1}
    assert call(three, traffic=0)["Changed"] is True
    assert weights(sagemaker)[2] == 0
    call(three)
    assert (weights(sagemaker), answers(5)) == ([1.0], {"three:x"})


def test_no_more_variants_than_an_endpoint_may_have(call, package, world, sagemaker):
    names = [f"m{number}" for number in range(10)]
    for name in names:
        world.model(name)
    world.config("ten", {name: 10.0 - number for number, name in enumerate(names)})
    assert world.hosts.create("boxes", "ten")() == ""
    world.hosts.close()

    call(package("new"), traffic=0.5)
    left = sagemaker.describe_endpoint(EndpointName="boxes")["ProductionVariants"]
    assert [each["VariantName"] for each in left[:-1]] == names[:-1]
    assert sum(each["CurrentWeight"] for each in left) == pytest.approx(1, abs=1e-3)


def test_only_what_is_approved_is_deployed(call, package, sagemaker):
    for status in ("PendingManualApproval", "Rejected"):
        with pytest.raises(ValueError, match=rf"boxes/\d is {status}; only an Approved one is deployed"):
            call(package("one", status))
    assert sagemaker.list_endpoints()["Endpoints"] == sagemaker.list_models()["Models"] == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"traffic": 1.5}, "traffic 1.5: must be from 0 to 1"),
        ({"instance_count": 0}, "instance_count 0: must be 1 or more"),
        ({"endpoint_name": "a_b"}, "endpoint_name 'a_b': use"),
        ({"role": ""}, "the event has no role"),
        (
            {"model_package_arn": "arn:aws:sagemaker:us-east-1:1:model-package/one"},
            "is no version of a model",
        ),
    ],
)
def test_an_event_that_cannot_be_is_refused_with_what_is_wrong(monkeypatch, more, said):
    monkeypatch.syspath_prepend(str(FOLDER))
    wanted = importlib.import_module("wanted")
    with pytest.raises(ValueError, match=said):
        wanted.read(event("arn:aws:sagemaker:us-east-1:1:model-package/one/1", **more))


def test_two_at_once_make_one_endpoint_and_two_packages_follow_each_other(call, package, sagemaker, answers):
    one, two = package("one"), package("two", SLOW_START="1")
    with ThreadPoolExecutor(3) as threads:
        same = list(threads.map(call, [one, one]))
        assert [each["Status"] for each in same] == ["InService"] * 2
        assert sorted(each["Changed"] for each in same) == [False, True]
        assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1

        under_way = threads.submit(call, two, wait=0)
        assert under_way.result()["Status"] == "Updating"
        again = call(two, wait=0)
        assert (again["Status"], again["Changed"]) == ("Updating", False)
        assert again["EndpointConfigName"] == under_way.result()["EndpointConfigName"]
        three = package("three")
        assert call(three)["Changed"] is True  # when the other has ended
    assert answers() == {"three:x"}


def test_an_endpoint_that_failed_is_made_anew_and_a_failed_update_leaves_what_served(
    call, package, sagemaker, answers
):
    bad, good = package("bad", FAIL_START="no licence"), package("good")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"endpoint boxes is Failed: .*no licence"):
            call(bad)
    assert (call(good)["Changed"], answers()) == (True, {"good:x"})
    with pytest.raises(RuntimeError, match=r"endpoint boxes serves something else: .*no licence"):
        call(bad)
    assert answers() == {"good:x"}


def test_endpoints_that_people_must_look_after_are_refused(call, package, world, sagemaker):
    arn = package("one")
    for status, said in (
        ("Failed", "is Failed, and was not made here"),
        ("UpdateRollbackFailed", "is UpdateRollbackFailed: half of it; mend or delete it first"),
    ):
        document = {
            "EndpointName": "boxes", "EndpointArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/boxes",
            "EndpointConfigName": "gone", "EndpointStatus": status, "FailureReason": "half of it",
            "CreationTime": 0.0, "LastModifiedTime": 0.0,
        }  # fmt: skip
        world.store.resources.add(KIND, "boxes", document)
        with pytest.raises(RuntimeError, match=said):
            call(arn)
        world.store.resources.remove(KIND, "boxes")


def test_it_waits_for_what_is_under_way_until_its_time_is_over(call, package, world):
    arn = package("one")
    document = {
        "EndpointName": "boxes", "EndpointArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/boxes",
        "EndpointConfigName": "gone", "EndpointStatus": "Deleting", "CreationTime": 0.0, "LastModifiedTime": 0.0,
    }  # fmt: skip
    world.store.resources.add(KIND, "boxes", document)
    with pytest.raises(TimeoutError, match="endpoint boxes is Deleting still; deploy again"):
        call(arn, seconds=11)  # of which ten are left over
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(call, arn)
        time.sleep(0.5)
        world.store.resources.remove(KIND, "boxes")
        assert waiting.result()["Status"] == "InService"


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_killed_after_any_step_it_goes_on_from_there(store, invoke, call, package, sagemaker, operation):
    function(store, "killed", operation)
    arn = package("one")
    assert "exit status 9" in invoke(event(arn), "killed")
    again = call(arn)
    assert again["Status"] == "InService"
    assert again["Changed"] is (operation != "CreateEndpoint")
    assert len(sagemaker.list_models()["Models"]) == 1
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1


def test_what_it_made_and_nothing_uses_is_deleted_after_an_hour(call, package, world, sagemaker):
    one, two, three = package("one"), package("two"), package("three")
    sagemaker.create_model(
        ModelName="boxes-0123456789ab", PrimaryContainer={"Image": "image"}, ExecutionRoleArn=ROLE
    )  # somebody else's, named alike
    for arn in (one, two):
        call(arn)
    age(world.store, 3700)
    call(three)
    assert (
        len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 2
    )  # that of two, to which a failed update goes back, and that of three
    call(three)
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    models = {each["ModelName"] for each in sagemaker.list_models()["Models"]}
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=call(three)["EndpointConfigName"])[
        "ProductionVariants"
    ]
    assert models == {"boxes-0123456789ab", variant["ModelName"]}


def age(store, seconds: float) -> None:
    for kind, name in (("endpoint-config", "EndpointConfigName"), ("model", "ModelName")):
        for document in store.resources.all(kind):
            store.resources.change(
                kind, document[name], lambda each: {**each, "CreationTime": time.time() - seconds}
            )


KILLED = """
import os
import lambda_function
from resources import client
client().meta.events.register("after-call.sagemaker.OPERATION", lambda **given: os._exit(9))
lambda_handler = lambda_function.lambda_handler
"""


def function(store, name: str, killed_after: str) -> None:
    """The same function made through the API, which is killed when AWS has done what it asked for."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in FOLDER.glob("*.py"):
            archive.write(file, file.name)
        archive.writestr("killed.py", KILLED.replace("OPERATION", killed_after))
    settings = {"Runtime": "python3.11", "Handler": "killed.lambda_handler", "Timeout": 60, "MemorySize": 512}
    functions.create(store, name, settings, content.getvalue())
