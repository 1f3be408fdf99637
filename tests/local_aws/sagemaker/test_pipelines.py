from __future__ import annotations

import json
from functools import partial

import pytest
from botocore.exceptions import ClientError

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


def create(sagemaker, name="My-Flow", definition=None, **more):
    return sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=definition or text(), RoleArn=ROLE, **more
    )


def test_what_was_created_is_described(sagemaker):
    limit = {"MaxParallelExecutionSteps": 2}
    answer = create(sagemaker, PipelineDescription="does little", ParallelismConfiguration=limit)
    assert answer["PipelineArn"] == f"{ARN}my-flow"
    for name in ("My-Flow", f"{ARN}my-flow", f"{ARN}My-Flow"):
        found = sagemaker.describe_pipeline(PipelineName=name)
        assert found["PipelineName"] == found["PipelineDisplayName"] == "My-Flow"
        assert found["PipelineDefinition"] == text()
        assert found["PipelineStatus"] == "Active"
        assert found["RoleArn"] == ROLE
        assert found["PipelineDescription"] == "does little"
        assert found["ParallelismConfiguration"] == limit
        assert "LastRunTime" not in found


def test_a_taken_name_is_refused_as_the_sdk_expects(sagemaker):
    token = "t" * 32
    create(sagemaker, ClientRequestToken=token)
    with pytest.raises(ClientError, match="Pipeline names must be unique within an AWS account") as error:
        create(sagemaker, name="my-flow")
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert (
        create(sagemaker, ClientRequestToken=token)["PipelineArn"] == f"{ARN}my-flow"
    )  # the same request again


def test_tags_that_it_cannot_have_make_no_pipeline(sagemaker):
    for key in ("aws:mine", "twice"):
        code, message = refused(partial(create, sagemaker), Tags=[{"Key": key, "Value": "1"}] * 2)
        assert (code, "Tag key" in message) == ("ValidationException", True)
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_pipelines_are_listed_the_newest_first(sagemaker):
    for name in ("a", "b", "c1"):
        create(sagemaker, name)

    def names(**asked):
        answer = sagemaker.list_pipelines(**asked)
        return [each["PipelineName"] for each in answer["PipelineSummaries"]], answer.get("NextToken")

    assert names() == (["c1", "b", "a"], None)
    assert names(PipelineNamePrefix="c") == (["c1"], None)
    first, token = names(SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert first == ["a", "b"]
    assert names(SortBy="Name", SortOrder="Ascending", NextToken=token) == (["c1"], None)


def test_a_deleted_pipeline_is_gone_and_can_come_back(sagemaker, store):
    create(sagemaker)
    assert sagemaker.delete_pipeline(PipelineName="My-Flow")["PipelineArn"] == f"{ARN}my-flow"
    for call in (sagemaker.describe_pipeline, sagemaker.update_pipeline, sagemaker.delete_pipeline):
        assert refused(call, PipelineName="My-Flow") == (
            "ResourceNotFound",
            f"Pipeline '{ARN}my-flow' does not exist.",
        )
    assert store.resources.all("pipeline-definition") == []
    create(sagemaker)
    assert (
        sagemaker.update_pipeline(PipelineName="My-Flow", PipelineDefinition=text())["PipelineVersionId"] == 2
    )
