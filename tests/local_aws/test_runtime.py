"""Endpoints as boto3 asks them, through the real server."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.conftest import wait_until
from tests.hosted import Hosted, serving_venv
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws.runtime import Runtime

CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def world(store, environments, venv, namespaces):
    world = Hosted(store, environments, venv)
    yield world
    world.hosts.close()


@pytest.fixture
def runtime(world, serve, client):
    return client("sagemaker-runtime", serve(Runtime(world.hosts)))


def refusal(call, **arguments) -> dict:
    with pytest.raises(ClientError) as error:
        call(**{"EndpointName": "e", "Body": b"x", **arguments})
    return error.value.response


def test_an_invocation_with_everything(world, runtime):
    world.model("a")
    world.config("c", {"a": 1}, DataCaptureConfig=CAPTURE)
    world.hosts.create("e", "c")()
    answer = runtime.invoke_endpoint(
        EndpointName="e", Body=b"1,2", ContentType="text/csv", Accept="text/csv", CustomAttributes="trace=1",
        InferenceId="mine", TargetVariant="a",
    )  # fmt: skip
    assert answer["Body"].read() == b"a:1,2"
    assert answer["ContentType"] == "text/csv"
    assert answer["InvokedProductionVariant"] == "a"
    assert answer["CustomAttributes"] == "trace=1 answered"
    streamed = runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"stream")
    assert b"".join(event["PayloadPart"]["Bytes"] for event in streamed["Body"]) == b"a one two"

    def lines() -> list[str]:
        objects = world.store.objects.list(parse_uri("s3://bucket/captured/e/a/"))
        return [line for each in objects for line in each.path.read_text().splitlines()]

    wait_until(lambda: len(lines()) == 2)
    whole, parts = map(json.loads, lines())
    assert whole["captureData"]["endpointInput"]["data"] == "1,2"
    assert whole["captureData"]["endpointOutput"]["data"] == "a:1,2"
    assert whole["eventMetadata"]["inferenceId"] == "mine"
    assert parts["captureData"]["endpointOutput"]["encoding"] == "BASE64"


def test_variants_share_and_are_named(world, runtime):
    world.deployed()
    seen = Counter(
        runtime.invoke_endpoint(EndpointName="e", Body=b"x")["InvokedProductionVariant"] for _ in range(60)
    )
    assert set(seen) == {"a", "b"}
    assert seen["a"] > seen["b"]
    response = refusal(runtime.invoke_endpoint, TargetVariant="c")
    assert response["Error"]["Code"] == "ValidationError"
    assert "Variant c not found" in response["Error"]["Message"]


def test_errors_are_those_of_aws(world, runtime):
    world.deployed()
    response = refusal(runtime.invoke_endpoint, Body=b"fail418")
    assert response["Error"]["Code"] == "ModelError"
    assert 'Received client error (418) from primary with message "as asked"' in response["Error"]["Message"]
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (418, "as asked")
    assert refusal(runtime.invoke_endpoint_with_response_stream, Body=b"fail500")["OriginalStatusCode"] == 500
    for arguments, fragment in (
        ({"EndpointName": "none"}, "Endpoint none of account 000000000000 not found"),
        ({"TargetModel": "m.tar.gz"}, "this endpoint serves one model only"),
        ({"InferenceComponentName": "i"}, "inference components are not supported"),
        ({"SessionId": "NEW_SESSION"}, "stateful sessions are not supported"),
        ({"Body": bytes(25 * 2**20 + 1)}, "the body has 26214401 bytes; at most 26214400 are taken"),
    ):
        response = refusal(runtime.invoke_endpoint, **arguments)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert (response["Error"]["Code"], fragment in response["Error"]["Message"]) == (
            "ValidationError",
            True,
        )
    most = bytes(25 * 2**20)
    assert len(runtime.invoke_endpoint(EndpointName="e", Body=most)["Body"].read()) == len(most) + 2
    with pytest.raises(ClientError, match="InvokeEndpointAsync is not supported by the local endpoint"):
        runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://bucket/input")


def test_a_stream_comes_in_parts_and_says_when_it_breaks(world, runtime):
    world.deployed()
    streamed = runtime.invoke_endpoint_with_response_stream(
        EndpointName="e", Body=b"stream", TargetVariant="b"
    )
    assert (streamed["InvokedProductionVariant"], streamed["ContentType"]) == ("b", "text/plain")
    arrived = [(event["PayloadPart"]["Bytes"], time.monotonic()) for event in streamed["Body"]]
    assert [part for part, _ in arrived] == [b"b", b" one", b" two"]
    assert arrived[-1][1] - arrived[0][1] > 0.3  # as they came, not all at the end
    streamed = runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"streambreaks")
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        list(streamed["Body"])
    wait_until(lambda: answers(runtime))


def answers(runtime) -> bool:
    """The containers that broke off are replaced; until that is noticed, requests fail."""
    try:
        runtime.invoke_endpoint(EndpointName="e", Body=b"x")
    except ClientError:
        return False
    return True


def test_many_models(world, runtime):
    world.data("m1", "many/deep/m1.tar.gz")
    container = {"Image": "image", "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/many/"}
    world.store.resources.add("model", "many", {"ModelName": "many", "PrimaryContainer": container})
    world.config("many", {"many": 1})
    world.hosts.create("e", "many")()
    answer = runtime.invoke_endpoint(EndpointName="e", Body=b"x", TargetModel="deep/m1.tar.gz")
    assert answer["Body"].read() == b"m1"
    assert "/m1.tar.gz" in refusal(runtime.invoke_endpoint, TargetModel="m2.tar.gz")["Error"]["Message"]
    assert "no path below" in refusal(runtime.invoke_endpoint, TargetModel="../m1.tar.gz")["Error"]["Message"]
