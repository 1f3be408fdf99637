from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.definition.runnable import check_runnable
from trainyard.errors import DefinitionError, Unsupported
from trainyard.execution.request import Channel, Checkpoint, Metric, Output
from trainyard.execution.steps import RULES
from trainyard.execution.steps.training import plan
from trainyard.execution.targets import Target, Targets

TARGETS = Targets({"image": Target("venv", "/v")}, {}, Path("/"))


def arguments_of(training, **more):
    return training("S", "s3://b/code/", **more)["Arguments"]


def test_the_request_becomes_a_job(training) -> None:
    arguments = arguments_of(
        training, inputs={"train": "s3://b/train/"}, sharded=("train",), hyperparameters={"a": 1, "b": True, "c": "x"},
        metrics=[{"Name": "loss", "Regex": "loss=(.*?);"}], count=3,
        extra={"CheckpointConfig": {"S3Uri": "s3://b/ck"}},
    )  # fmt: skip
    job = plan("S", arguments, "job-1", TARGETS)
    assert job.config["input/config/hyperparameters.json"] == {"a": "1", "b": "True", "c": "x"}
    assert job.config["input/config/inputdataconfig.json"]["train"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "ShardedByS3Key",
        "RecordWrapperType": "None",
    }
    assert job.channels[1] == Channel(
        name="train",
        container_path="/opt/ml/input/data/train",
        uri="s3://b/train/",
        distribution="ShardedByS3Key",
    )
    assert job.outputs == (
        Output(
            name="model",
            container_path="/opt/ml/model",
            uri="s3://bucket/out/job-1/output/model.tar.gz",
            archive=True,
        ),
        Output(
            name="output",
            container_path="/opt/ml/output/data",
            uri="s3://bucket/out/job-1/output/output.tar.gz",
            archive=True,
        ),
    )
    assert job.checkpoint == Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck")
    assert (job.metrics, job.host_count) == ((Metric(name="loss", regex="loss=(.*?);"),), 3)


def test_without_compression_outputs_are_prefixes(training) -> None:
    arguments = arguments_of(training)
    arguments["OutputDataConfig"] = {"S3OutputPath": "s3://b/o/", "CompressionType": "NONE"}
    job = plan("S", arguments, "j", TARGETS)
    assert [output.uri for output in job.outputs] == ["s3://b/o/j/output/model/", "s3://b/o/j/output/data/"]
    assert not any(output.archive for output in job.outputs)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"AlgorithmSpecification": {}}, "AlgorithmSpecification.TrainingImage is missing"),
        ({"OutputDataConfig": {}}, "OutputDataConfig.S3OutputPath is missing"),
        ({"ResourceConfig": {}}, "ResourceConfig.InstanceCount is missing"),
        ({"InputDataConfig": [{"ChannelName": "x"}]}, "DataSource.S3DataSource.S3Uri is missing"),
        ({"CheckpointConfig": {"LocalPath": "/opt/ml/x"}}, "CheckpointConfig.S3Uri is missing"),
        ({"CheckpointConfig": {"S3Uri": "s3://b", "LocalPath": "/x"}}, "must be a folder below /opt/ml"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "MaxWaitTimeInSeconds is 59, less than MaxRuntimeInSeconds",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_step_and_field(training, change, fragment) -> None:
    with pytest.raises(DefinitionError, match=fragment) as raised:
        plan("S", {**arguments_of(training), **change}, "job", TARGETS)
    assert "step 'S'" in str(raised.value)


@pytest.mark.parametrize(("regex", "fragment"), [("loss=(", "is not valid"), ("loss=.*", "has no group")])
def test_bad_regular_expressions_are_refused(training, regex, fragment) -> None:
    with pytest.raises(DefinitionError, match=fragment):
        plan("S", arguments_of(training, metrics=[{"Name": "loss", "Regex": regex}]), "job", TARGETS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("AlgorithmSpecification", "TrainingInputMode"), "Stream"),
        (("AlgorithmSpecification", "AlgorithmName"), "a"),
        (("OutputDataConfig", "CompressionType"), "ZIP"),
        (("ResourceConfig", "InstanceGroups"), [1]),
        (("WarmPool",), True),
    ],
)
def test_options_that_are_not_honoured_are_refused(training, definition, path, value) -> None:
    step = training("S", "s3://b/code/")
    place = step["Arguments"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(Unsupported, match=f"S.*{path[-1]}"):
        check_runnable(parse(definition(step)), RULES)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "x" * 65])
def test_channel_names_are_folder_names(training, name: str) -> None:
    arguments = arguments_of(training)
    arguments["InputDataConfig"][0]["ChannelName"] = name
    with pytest.raises(DefinitionError, match="ChannelName is"):
        plan("S", arguments, "job", TARGETS)


def test_checkpoints_have_a_folder_of_their_own(training) -> None:
    arguments = arguments_of(training)
    arguments["CheckpointConfig"] = {"S3Uri": "s3://b/ck", "LocalPath": "/opt/ml/model/ck"}
    with pytest.raises(DefinitionError, match="has its own use"):
        plan("S", arguments, "job", TARGETS)
