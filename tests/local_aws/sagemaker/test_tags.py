from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from trainyard.local_aws.json_api import JsonApi
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import tags

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model/m"


@pytest.fixture
def api(context, store, serve, client):
    store.resources.add("model", "m", {"ModelName": "m"})
    api = JsonApi("sagemaker", tags.OPERATIONS, context)
    return client("sagemaker", serve(api), max_pool_connections=50)


def pairs(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def message_of(call, **members) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return caught.value.response["Error"]["Message"]


def test_adding_listing_and_deleting(api) -> None:
    assert api.list_tags(ResourceArn=ARN)["Tags"] == []
    assert api.add_tags(ResourceArn=ARN, Tags=pairs(a="1", b="2"))["Tags"] == pairs(a="1", b="2")
    assert api.add_tags(ResourceArn=ARN, Tags=pairs(b="3", c=""))["Tags"] == pairs(a="1", b="3", c="")
    api.delete_tags(ResourceArn=ARN, TagKeys=["a", "never"])
    assert api.list_tags(ResourceArn=ARN)["Tags"] == pairs(b="3", c="")


def test_at_most_fifty(api) -> None:
    api.add_tags(ResourceArn=ARN, Tags=pairs(**{f"k{number}": "" for number in range(50)}))
    assert "at most 50" in message_of(api.add_tags, ResourceArn=ARN, Tags=pairs(more=""))
    api.add_tags(ResourceArn=ARN, Tags=pairs(k7="changed"))
    assert len(api.list_tags(ResourceArn=ARN)["Tags"]) == 50


@pytest.mark.parametrize(
    "arn",
    [ARN + "x", ARN.replace("000000000000", "111111111111"), ARN.replace("model/m", "tags/m"),
     "arn:aws:sagemaker:us-east-1:000000000000:x", ARN.replace("model/m", "model-package/g/1"),
     ARN.replace("model/m", "model-package-group/g"), ARN.replace("model/m", "model-package/\x01")],
)  # fmt: skip
def test_what_does_not_exist_has_no_tags(api, arn) -> None:
    for call, more in (
        (api.add_tags, {"Tags": pairs(a="")}), (api.list_tags, {}), (api.delete_tags, {"TagKeys": ["a"]}),
    ):  # fmt: skip
        assert "Could not find the resource" in message_of(call, ResourceArn=arn, **more)


def test_registered_packages_have_tags(api, store) -> None:
    arn = store.registry.register("g", {"ModelPackageGroupName": "g"}, {})
    for each in (arn, ARN.replace("model/m", "model-package-group/g")):
        assert api.add_tags(ResourceArn=each, Tags=pairs(a="1"))["Tags"] == pairs(a="1")


def test_fifty_clients_add_and_remove(api) -> None:
    start = threading.Barrier(50)

    def work(number: int) -> None:
        start.wait()
        if number % 2:
            api.add_tags(ResourceArn=ARN, Tags=pairs(**{f"k{number}": str(number)}))
        else:
            api.delete_tags(ResourceArn=ARN, TagKeys=[f"k{number + 100}"])

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    found = {tag["Key"]: tag["Value"] for tag in api.list_tags(ResourceArn=ARN)["Tags"]}
    assert found == {f"k{number}": str(number) for number in range(1, 50, 2)}


def test_tags_of_a_create_request(store) -> None:
    tags.check({})
    for bad in (pairs(a="1") + pairs(a="2"), pairs(**{"aws:x": "1"}), pairs(**{"AWS:x": "1"})):
        with pytest.raises(AwsError):
            tags.check({"Tags": bad})
    assert tags.keep(store, ARN, {}) == []
    assert store.resources.all("tags") == []
    tags.keep(store, ARN, {"Tags": pairs(a="1")})
    assert tags.of(store, ARN) == pairs(a="1")
    tags.forget(store, ARN)
    tags.forget(store, ARN)
    assert tags.of(store, ARN) == []
