from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from trainyard.execution.s3 import parse_uri
from trainyard.local_aws.json_api import JsonApi
from trainyard.local_aws.sagemaker import models, tags

ROLE = "arn:aws:iam::000000000000:role/local"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model/m"
CONTAINER = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "1"}}


@pytest.fixture
def api(context, store, serve, client):
    store.objects.put_bytes(b"", parse_uri("s3://bucket/model.tar.gz"))
    operations = {**models.OPERATIONS, **tags.OPERATIONS}
    return client("sagemaker", serve(JsonApi("sagemaker", operations, context)))


def message_of(call, **members) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return caught.value.response["Error"]["Message"]


def test_a_model_from_creation_to_deletion(api, store) -> None:
    given = {"ModelName": "m", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE}
    assert api.create_model(**given, Tags=[{"Key": "k", "Value": "v"}])["ModelArn"] == ARN
    found = api.describe_model(ModelName="m")
    assert {member: found[member] for member in given} == given
    assert found["ModelArn"] == ARN
    assert api.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert message_of(api.create_model, **given) == f'Cannot create already existing model "{ARN}".'
    api.delete_model(ModelName="m")
    for call in (api.describe_model, api.delete_model):
        assert message_of(call, ModelName="m") == f'Could not find model "{ARN}".'
    api.create_model(**given)
    assert api.list_tags(ResourceArn=ARN)["Tags"] == []  # those of the one that is gone are gone


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "Exactly one of"),
        ({"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]}, "Exactly one of"),
        (
            {"PrimaryContainer": {**CONTAINER, "ModelDataUrl": "s3://bucket/no.tar.gz"}},
            "Could not find model data at",
        ),
        ({"Containers": [CONTAINER, {**CONTAINER, "ModelDataUrl": "s3://bucket/../x"}]}, "s3://bucket/../x"),
        ({"PrimaryContainer": CONTAINER, "Tags": [{"Key": "aws:x", "Value": ""}]}, "aws:"),
    ],
)
def test_what_cannot_be_a_model(api, members, message) -> None:
    assert message in message_of(api.create_model, ModelName="m", **members)
    assert api.list_models()["Models"] == []


def test_a_multi_model_prefix_may_be_filled_later(api) -> None:
    container = {"Image": "image", "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/later/"}
    api.create_model(ModelName="many", PrimaryContainer=container)
    assert api.describe_model(ModelName="many")["PrimaryContainer"] == container


def test_the_newest_is_listed_first(api) -> None:
    for name in ("b", "a", "c"):
        api.create_model(ModelName=name, PrimaryContainer={"Image": "image"})
    assert [model["ModelName"] for model in api.list_models()["Models"]] == ["c", "a", "b"]
    by_name = api.list_models(SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [model["ModelName"] for model in by_name["Models"]] == ["a", "b"]
    pages = api.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 2})
    assert sum(len(page["Models"]) for page in pages) == 3
