from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/"


def is_one(name, value=1, **more):
    """A step that succeeds at once, its Outcome whether the value is 1."""
    asked = {"Type": "Equals", "LeftValue": value, "RightValue": 1}
    arguments = {
        "Conditions": [asked],
        "IfSteps": more.pop("then", []),
        "ElseSteps": more.pop("otherwise", []),
    }
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def fail(name, message="no"):
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


@pytest.fixture
def run(sagemaker, ended):
    def start(name="Flow", **more):
        arn = sagemaker.start_pipeline_execution(PipelineName=name, **more)["PipelineExecutionArn"]
        ended(arn)
        return arn

    return start


def steps(sagemaker, arn, **asked):
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, **asked)
    return found["PipelineExecutionSteps"]


def test_an_execution_is_described_by_either_arn(sagemaker, create_pipeline, run):
    names = {
        "ExperimentName": {"Get": "Execution.PipelineName"},
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }
    create_pipeline(fail("Refuse", "m" * 2000), parts={"PipelineExperimentConfig": names})
    arn = run()
    assert arn.startswith(f"{ARN}flow/execution/")
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn.replace("/flow/", "/Flow/"))
    assert found["PipelineExecutionArn"] == arn
    assert found["PipelineArn"] == f"{ARN}flow"
    assert found["PipelineExecutionStatus"] == "Failed"
    assert found["FailureReason"].startswith("step Refuse: mmm")
    assert len(found["FailureReason"]) == 1300
    assert found["PipelineVersionId"] == 1
    assert found["LastModifiedTime"] >= found["CreationTime"]
    assert found["PipelineExperimentConfig"] == {"ExperimentName": "Flow", "TrialName": arn[-12:]}
    for wrong in (
        f"{ARN}flow/execution/{'x' * 12}",
        f"{ARN}other/execution/{arn[-12:]}",
        f"{ARN}flow/execution/last",
    ):
        for call in (sagemaker.describe_pipeline_execution, sagemaker.list_pipeline_execution_steps):
            with pytest.raises(ClientError, match="does not exist") as error:
                call(PipelineExecutionArn=wrong)
            assert error.value.response["Error"]["Code"] == "ResourceNotFound"


def test_steps_are_listed_the_newest_first(sagemaker, create_pipeline, run):
    last = is_one("Last", DependsOn=["Nested"], DisplayName="The last", Description="It ends")
    nested = is_one("Nested", 2, DisplayName="The nested")
    create_pipeline(is_one("First", then=[nested], otherwise=[fail("Never")]), last)
    found = steps(sagemaker, run())
    assert [step["StepName"] for step in found] == ["Last", "Nested", "First"]
    assert [step.get("StepDisplayName") for step in found] == ["The last", "The nested", None]
    assert found[0]["StepDescription"] == "It ends"
    outcomes = [step["Metadata"] for step in found]
    assert outcomes == [{"Condition": {"Outcome": text}} for text in ("True", "False", "True")]
    for step in found:
        assert step["StepStatus"] == "Succeeded"
        assert step["AttemptCount"] == 1
        assert step["StartTime"] <= step["EndTime"]
        assert not {"FailureReason", "CacheHitResult", "SelectiveExecutionResult"} & step.keys()


def test_steps_come_in_pages(sagemaker, create_pipeline, run):
    create_pipeline(
        *(is_one(f"S{number:02}", DependsOn=[f"S{number - 1:02}"] if number else []) for number in range(12))
    )
    arn = run()
    assert len(steps(sagemaker, arn)) == 12  # the SDK's list_steps reads one page
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": 5}
    )
    names = [step["StepName"] for page in pages for step in page["PipelineExecutionSteps"]]
    assert names == [f"S{number:02}" for number in range(12)]


def test_jobs_say_their_arn_and_where_a_cached_one_comes_from(sagemaker, create_pipeline, run, job):
    step = job("Work", "print('done')", CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})
    create_pipeline(step)
    first, second = run(), run()
    (ran,), (cached,) = steps(sagemaker, first), steps(sagemaker, second)
    assert ran["Metadata"]["ProcessingJob"]["Arn"].startswith(
        f"arn:aws:sagemaker:us-east-1:000000000000:processing-job/pipelines-{first[-12:]}-Work-"
    )
    assert "CacheHitResult" not in ran
    assert cached["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert cached["Metadata"] == ran["Metadata"]


def test_parameters_are_listed_with_those_by_default(sagemaker, create_pipeline, run):
    parameters = [
        {"Name": "Count", "Type": "Integer", "DefaultValue": 7},
        {"Name": "Deep", "Type": "Boolean", "DefaultValue": False},
        {"Name": "Ratio", "Type": "Float"},
    ]
    create_pipeline(fail("Refuse"), parameters=parameters)
    arn = run(PipelineParameters=[{"Name": "Ratio", "Value": "0.5"}, {"Name": "Deep", "Value": "true"}])
    found = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert {each["Name"]: each["Value"] for each in found} == {"Count": "7", "Deep": "True", "Ratio": "0.5"}


def test_executions_are_listed_the_newest_first(sagemaker, create_pipeline, run):
    create_pipeline(fail("Refuse", "no way"))
    create_pipeline(fail("Refuse"), name="Other")
    arns = [run(PipelineExecutionDisplayName=name) for name in ("a", "b", "c")]
    run("Other")

    def listed(**asked):
        return sagemaker.list_pipeline_executions(PipelineName="Flow", **asked)

    found = listed(MaxResults=2)
    summaries = found["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in summaries] == arns[:0:-1]
    assert [each["PipelineExecutionDisplayName"] for each in summaries] == ["c", "b"]
    assert summaries[0]["PipelineExecutionStatus"] == "Failed"
    assert "no way" in summaries[0]["PipelineExecutionFailureReason"]
    rest = listed(NextToken=found["NextToken"])["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in rest] == arns[:1]
    later = listed(CreatedAfter=summaries[0]["StartTime"])["PipelineExecutionSummaries"]
    assert len(later) < 3
    assert sagemaker.describe_pipeline(PipelineName="Flow")["LastRunTime"] == summaries[0]["StartTime"]


def test_what_ran_without_the_endpoint_is_described_as_well(sagemaker, context):
    document = {"Version": "2020-12-01", "Steps": [is_one("Check")]}
    finished = context.executor().start(document, "MyOwn", {})
    for name in ("MyOwn", "myown", f"{ARN}myown"):
        (found,) = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
        arn = found["PipelineExecutionArn"]
        assert arn == f"{ARN}myown/execution/{finished.execution}"
    assert (
        sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        == "Succeeded"
    )
    assert [step["StepName"] for step in steps(sagemaker, arn)] == ["Check"]
    text = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)[
        "PipelineDefinition"
    ]
    assert json.loads(text) == document
    with pytest.raises(ClientError, match=r"Pipeline '.*pipeline/nothing' does not exist") as error:
        sagemaker.list_pipeline_executions(PipelineName="nothing")
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"
