from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from trainyard.execution.s3 import parse_uri

ROLE = "arn:aws:iam::000000000000:role/local"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/"


def text(message="no", **more):
    step = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step], **more})


def refused(call, **request):
    with pytest.raises(ClientError) as error:
        call(**request)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("{", "the pipeline definition is not JSON"),
        (text(Steps=[]), "a pipeline needs at least one step"),
        (text(Steps=[{"Name": "A", "Type": "EMR", "Arguments": {}}]), "EMR"),
        (text({"Get": "Parameters.Nothing"}), "Nothing"),
    ],
)
def test_a_bad_definition_is_refused_and_keeps_nothing(sagemaker, definition, message):
    code, said = refused(
        sagemaker.create_pipeline, PipelineName="Flow", PipelineDefinition=definition, RoleArn=ROLE
    )
    assert code == "ValidationException"
    assert message in said
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_a_definition_may_lie_in_s3(sagemaker, store):
    place = {"Bucket": "bucket", "ObjectKey": "flow/definition.json"}
    asked = {"PipelineName": "Flow", "RoleArn": ROLE, "PipelineDefinitionS3Location": place}
    assert "no object s3://bucket/flow/definition.json" in refused(sagemaker.create_pipeline, **asked)[1]
    long = text("x" * 200_000)
    store.objects.put_bytes(long.encode(), parse_uri("s3://bucket/flow/definition.json"))
    sagemaker.create_pipeline(**asked)
    assert sagemaker.describe_pipeline(PipelineName="Flow")["PipelineDefinition"] == long
    both = {**asked, "PipelineName": "Other", "PipelineDefinition": text()}
    assert "cannot both be given" in refused(sagemaker.create_pipeline, **both)[1]
    neither = {"PipelineName": "Other", "RoleArn": ROLE}
    assert "must be given" in refused(sagemaker.create_pipeline, **neither)[1]
    store.objects.put_bytes(b" " * 4_200_000, parse_uri("s3://bucket/flow/definition.json"))
    assert "at most 1,048,576" in refused(sagemaker.create_pipeline, **asked)[1]
