"""Endpoint configs and endpoints as boto3 sees them, through the real server."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from tests.conftest import wait_until
from tests.hosted import Hosted, serving_venv
from trainyard.execution.container import Invocation
from trainyard.execution.fleet import Asked
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import JsonApi
from trainyard.local_aws.sagemaker import models, tags
from trainyard.local_aws.sagemaker.endpoints import OPERATIONS

TAGS = [{"Key": "team", "Value": "forecast"}]


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def world(store, environments, venv, namespaces):
    world = Hosted(store, environments, venv)
    for name in "ab":
        world.model(name)
    world.model("bad", environment={"FAIL_START": "no licence"})
    yield world
    world.hosts.close()


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def sagemaker(world, serve, client, told):
    machine = replace(world.machine, hosts=world.hosts)
    background = Background(world.store)
    context = Context(
        new_machine=lambda: machine,
        background=background,
        emit=lambda kind, detail: told.append((kind, detail["EndpointStatus"])),
    )
    yield client(
        "sagemaker",
        serve(JsonApi("sagemaker", {**OPERATIONS, **models.OPERATIONS, **tags.OPERATIONS}, context)),
    )
    background.close()


def config(sagemaker, name: str, *models: str, **more) -> str:
    variants = [
        {"VariantName": model, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        for model in models
    ]
    made = sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **more)
    return made["EndpointConfigArn"]


def settled(sagemaker, name: str = "e") -> dict:
    wait_until(
        lambda: (
            sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] not in ("Creating", "Updating")
        )
    )
    return sagemaker.describe_endpoint(EndpointName=name)


def refusal(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def answer(world) -> str:
    return world.hosts.invoke("e", Invocation(body=b"x"), Asked()).reply.body.decode()


def test_an_endpoint_from_its_config_to_its_end(world, sagemaker, told):
    arn = config(sagemaker, "one", "a", Tags=TAGS)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == TAGS
    made = sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one", Tags=TAGS)
    assert sagemaker.list_tags(ResourceArn=made["EndpointArn"])["Tags"] == TAGS
    described = settled(sagemaker)
    assert (described["EndpointStatus"], described["EndpointArn"]) == ("InService", made["EndpointArn"])
    (variant,) = described["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == "image"
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    assert answer(world) == "a:x"
    config(sagemaker, "two", "a", "b")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    assert settled(sagemaker)["EndpointConfigName"] == "two"
    desired = [{"VariantName": "a", "DesiredWeight": 0.0}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName="e", DesiredWeightsAndCapacities=desired)
    assert {answer(world) for _ in range(20)} == {"b:x"}
    config(sagemaker, "three", "a", "b")
    sagemaker.update_endpoint(
        EndpointName="e", EndpointConfigName="three", RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )  # fmt: skip
    assert settled(sagemaker)["ProductionVariants"][0]["DesiredWeight"] == 0.0
    sagemaker.delete_endpoint(EndpointName="e")
    missing = 'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e".'

    def gone() -> bool:
        try:
            return sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] != "Deleting"
        except ClientError:
            return True

    wait_until(gone)
    assert refusal(sagemaker.describe_endpoint, EndpointName="e") == ("ValidationException", missing)
    statuses = Counter(status for kind, status in told if kind == "SageMaker Endpoint State Change")
    assert statuses == {"CREATING": 1, "UPDATING": 2, "IN_SERVICE": 4, "DELETING": 1}


def test_failures_are_described(world, sagemaker):
    config(sagemaker, "broken", "bad")
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="broken")
    described = settled(sagemaker)
    assert described["EndpointStatus"] == "Failed"
    assert "exit code 1: no licence" in described["FailureReason"]
    code, message = refusal(sagemaker.update_endpoint, EndpointName="e", EndpointConfigName="broken")
    assert (code, "it is Failed" in message) == ("ValidationException", True)


def test_what_is_in_progress_cannot_be_changed_but_its_model_and_config_can_go(world, sagemaker):
    world.model("slow", environment={"SLOW_START": "60"})
    config(sagemaker, "slow", "slow")
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="slow")
    arn = sagemaker.describe_endpoint(EndpointName="e")["EndpointArn"]
    in_progress = ("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
    for call, arguments in (
        (sagemaker.delete_endpoint, {}),
        (sagemaker.update_endpoint, {"EndpointConfigName": "slow"}),
        (
            sagemaker.update_endpoint_weights_and_capacities,
            {"DesiredWeightsAndCapacities": [{"VariantName": "slow"}]},
        ),
    ):
        assert refusal(call, EndpointName="e", **arguments) == in_progress
    taken = f'Cannot create already existing endpoint "{arn}".'
    answered = refusal(sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="slow")
    assert answered == ("ValidationException", taken)
    sagemaker.delete_endpoint_config(EndpointConfigName="slow")
    sagemaker.delete_model(ModelName="slow")
    wait_until(lambda: world.hosts.cancel("e") or "FailureReason" in world.hosts.records.get("e"))
    assert settled(sagemaker)["EndpointStatus"] == "Failed"
    sagemaker.delete_endpoint(EndpointName="e")


def test_lists_and_refusals(world, sagemaker):
    for name in ("one", "two"):
        config(sagemaker, name, "a")
    found = sagemaker.list_endpoint_configs(SortBy="Name", SortOrder="Ascending")["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in found] == ["one", "two"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName="two")
    assert described["ProductionVariants"][0]["ModelName"] == "a"
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    settled(sagemaker)
    (listed,) = sagemaker.list_endpoints(StatusEquals="InService", NameContains="e")["Endpoints"]
    assert listed["EndpointName"] == "e"
    assert sagemaker.list_endpoints(StatusEquals="Failed")["Endpoints"] == []
    sagemaker.delete_endpoint_config(EndpointConfigName="one")
    assert answer(world) == "a:x"
    create = sagemaker.create_endpoint
    for call, arguments, fragment in (
        (
            create,
            {"EndpointName": "e", "EndpointConfigName": "two"},
            "Cannot create already existing endpoint",
        ),
        (create, {"EndpointName": "f", "EndpointConfigName": "one"}, "Could not find endpoint configuration"),
        (create, {"EndpointName": "../f", "EndpointConfigName": "two"}, "regular expression pattern"),
        (
            sagemaker.describe_endpoint_config,
            {"EndpointConfigName": "one"},
            "Could not find endpoint configuration",
        ),
        (
            sagemaker.delete_endpoint_config,
            {"EndpointConfigName": "one"},
            "Could not find endpoint configuration",
        ),
        (sagemaker.delete_endpoint, {"EndpointName": "f"}, "Could not find endpoint"),
        (
            sagemaker.update_endpoint_weights_and_capacities,
            {"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "a"}] * 2},
            "names the variant 'a' twice",
        ),
    ):
        code, message = refusal(call, **arguments)
        assert (code, fragment in message) == ("ValidationException", True), message
