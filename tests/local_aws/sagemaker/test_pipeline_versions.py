from __future__ import annotations

import json

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


def test_updates_make_versions_with_aliases(sagemaker):
    sagemaker.create_pipeline(
        PipelineName="My-Flow", PipelineDefinition=text(), RoleArn=ROLE, PipelineVersionAliases=["first"]
    )
    changed = sagemaker.update_pipeline(PipelineName="My-Flow", PipelineDefinition=text("two"))
    assert changed["PipelineVersionId"] == 2
    assert (
        sagemaker.update_pipeline(PipelineName="My-Flow", PipelineDescription="d")["PipelineVersionId"] == 2
    )
    describe = sagemaker.describe_pipeline
    assert describe(PipelineName="My-Flow")["PipelineDefinition"] == text("two")
    assert describe(PipelineName="My-Flow", PipelineVersionId=1)["PipelineDefinition"] == text()
    assert describe(PipelineName="My-Flow", PipelineVersionAlias="first")["PipelineDefinition"] == text()
    code, said = refused(describe, PipelineName="My-Flow", PipelineVersionId=3)
    assert (code, "PipelineVersionId 3; there are 1 to 2" in said) == ("ResourceNotFound", True)
    versions = sagemaker.list_pipeline_versions(PipelineName="My-Flow", MaxResults=1)
    assert [each["PipelineVersionId"] for each in versions["PipelineVersionSummaries"]] == [2]


def test_an_alias_belongs_to_one_version(sagemaker):
    sagemaker.create_pipeline(
        PipelineName="My-Flow", PipelineDefinition=text(), RoleArn=ROLE, PipelineVersionAliases=["first"]
    )
    sagemaker.update_pipeline(PipelineName="My-Flow", PipelineDefinition=text("two"))
    rename = {"PipelineArn": f"{ARN}my-flow", "PipelineVersionId": 2, "PipelineVersionDisplayName": "second"}
    asked = {**rename, "PipelineVersionAliasOperations": {"Add": ["first"]}}
    assert refused(sagemaker.update_pipeline_version, **asked)[0] == "ConflictException"
    numeric = {**rename, "PipelineVersionAliasOperations": {"Add": ["12"]}}
    assert "cannot consist of numbers only" in refused(sagemaker.update_pipeline_version, **numeric)[1]
    first = {"PipelineArn": f"{ARN}my-flow", "PipelineVersionId": 1}
    sagemaker.update_pipeline_version(**first, PipelineVersionAliasOperations={"Remove": ["first"]})
    sagemaker.update_pipeline_version(**asked)
    found = sagemaker.describe_pipeline(PipelineName="My-Flow", PipelineVersionAlias="first")
    assert (found["PipelineDefinition"], found["PipelineVersionDisplayName"]) == (text("two"), "second")


def test_a_version_is_what_an_execution_starts(sagemaker):
    sagemaker.create_pipeline(PipelineName="My-Flow", PipelineDefinition=text(), RoleArn=ROLE)
    sagemaker.update_pipeline(PipelineName="My-Flow", PipelineDefinition=text("two"))
    started = sagemaker.start_pipeline_execution(PipelineName="My-Flow", PipelineVersionId=1)
    arn = started["PipelineExecutionArn"]
    ran = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(ran["PipelineDefinition"]) == json.loads(text())
    assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineVersionId"] == 1
    versions = sagemaker.list_pipeline_versions(PipelineName="My-Flow")["PipelineVersionSummaries"]
    assert [each.get("LastExecutionPipelineExecutionArn") for each in versions] == [None, arn]
