from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.definition.runnable import check_runnable
from trainyard.errors import DefinitionError, Unsupported
from trainyard.execution.attempts import Attempt
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Channel, Ended, JobRequest, Output
from trainyard.execution.steps import RULES
from trainyard.execution.steps.processing import describe, plan
from trainyard.execution.targets import Target, Targets

TARGETS = Targets({"image": Target("venv", "/v")}, {}, Path("/"))


def test_the_request_becomes_a_job(processing) -> None:
    arguments = processing(
        "S", "s3://b/code/", inputs={"raw": "s3://b/raw"}, outputs={"made": "s3://b/made"}, arguments=["--n", "3"],
        environment={"A": "1"}, count=2, extra={"StoppingCondition": {"MaxRuntimeInSeconds": 60}},
    )["Arguments"]  # fmt: skip
    job = plan("S", arguments, "job-1", TARGETS)
    folder = "/opt/ml/processing"
    assert job == JobRequest(
        name="job-1",
        kind="Processing",
        image="image",
        target=Target("venv", "/v"),
        command=("python3", f"{folder}/code/main.py", "--n", "3"),
        environment={"A": "1"},
        config={"config/processingjobconfig.json": {**arguments, "ProcessingJobName": "job-1"}},
        resource_config="config/resourceconfig.json",
        host_count=2,
        instance_type="ml.m5.large",
        channels=(
            Channel(name="code", container_path=f"{folder}/code", uri="s3://b/code/"),
            Channel(name="raw", container_path=f"{folder}/raw", uri="s3://b/raw"),
        ),
        outputs=(Output(name="made", container_path=f"{folder}/made", uri="s3://b/made"),),
        max_runtime=60.0,
    )


def test_an_images_own_entry_point_runs_where_there_is_an_image(processing) -> None:
    arguments = processing("S", "s3://b/code/")["Arguments"]
    arguments["AppSpecification"] = {"ImageUri": "image"}
    in_docker = Targets({"image": Target("docker", "x")}, {}, Path("/"))
    job = plan("S", arguments, "job", in_docker)
    assert (job.command, job.arguments_only) == ((), False)
    arguments["AppSpecification"]["ContainerArguments"] = ["--n", "3"]
    job = plan("S", arguments, "job", in_docker)
    assert (job.command, job.arguments_only) == (("--n", "3"), True)


@pytest.mark.parametrize(
    ("change", "kind", "fragment"),
    [
        ({"AppSpecification": {"ImageUri": "image"}}, Unsupported, "ContainerEntrypoint is missing"),
        (
            {"AppSpecification": {"ImageUri": "image", "ContainerArguments": ["--output-config", "x"]}},
            Unsupported,
            "ContainerEntrypoint is missing",
        ),
        ({"AppSpecification": {}}, DefinitionError, "AppSpecification.ImageUri is missing"),
        ({"ProcessingResources": {}}, DefinitionError, "ClusterConfig.InstanceCount is missing"),
        ({"ProcessingInputs": [{"InputName": "x"}]}, DefinitionError, "S3Input.S3Uri is missing"),
        (
            {"ProcessingInputs": [{"InputName": "x", "S3Input": {"S3Uri": "s3://b", "LocalPath": "/etc"}}]},
            DefinitionError,
            "must be a folder below /opt/ml/processing",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_step_and_field(processing, change, kind, fragment) -> None:
    arguments = {**processing("S", "s3://b/code/")["Arguments"], **change}
    with pytest.raises(kind, match=fragment) as raised:
        plan("S", arguments, "job", TARGETS)
    assert "step 'S'" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("S3InputMode", "Pipe"), ("S3CompressionType", "Gzip"), ("S3DataType", "Table"), ("Unknown", 1)],
)
def test_input_options_that_are_not_honoured_are_refused(processing, definition, name, value) -> None:
    step = processing("S", "s3://b/code/")
    step["Arguments"]["ProcessingInputs"][0]["S3Input"][name] = value
    with pytest.raises(Unsupported, match=f"S.*{name}"):
        check_runnable(parse(definition(step)), RULES)


def test_describe_is_shaped_like_the_api(processing) -> None:
    arguments = processing("S", "s3://b/code/")["Arguments"]
    job = plan("S", arguments, "job-1", TARGETS)
    outcome = JobOutcome(
        request=job,
        ended=Ended(exit_codes=(1,)),
        attempts=(Attempt(started=1.0, ended=2.0),),
        ended_at=2.0,
        failure="no",
        message="m",
    )
    result = describe(arguments, outcome)
    assert (result["ProcessingJobStatus"], result["FailureReason"], result["ExitMessage"]) == (
        "Failed",
        "no",
        "m",
    )
    assert result["AppSpecification"] == arguments["AppSpecification"]
