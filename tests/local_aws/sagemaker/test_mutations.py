"""Requests that are nearly right, where a job is really run if they are taken: refused, or carried out to an end."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local_aws.sagemaker.conftest import ROLE
from trainyard.execution.resources import STATUS
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws import endpoint
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import JsonApi
from trainyard.local_aws.messages import Request

RUN = ["/bin/sh", "-c", "echo loss=1; echo > /opt/ml/model/m"]
INPUT = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in", "S3DataDistributionType": "FullyReplicated"}
TRAINING = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {
        "TrainingImage": "image", "TrainingInputMode": "File", "ContainerEntrypoint": RUN,
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
    },
    "HyperParameters": {"a": "1"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": INPUT}}],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 20},
}  # fmt: skip
TUNING = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]},
    },
    "TrainingJobDefinition": TRAINING,
}
PROCESSING = {
    "RoleArn": ROLE,
    "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["/bin/sh", "-c", "exit 0"]},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    },
    "ProcessingInputs": [
        {"InputName": "i", "S3Input": {"S3Uri": "s3://bucket/in", "LocalPath": "/opt/ml/processing/i",
                                       "S3DataType": "S3Prefix", "S3InputMode": "File"}}
    ],
}  # fmt: skip
MODEL_DATA = {"Image": "image", "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
DEFINITION = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "N", "Type": "Integer", "DefaultValue": 3}],
    "Steps": [
        {"Name": "Train", "Type": "Training", "Arguments": TRAINING},
        {"Name": "Process", "Type": "Processing", "Arguments": PROCESSING, "DependsOn": ["Train"]},
        {"Name": "Model", "Type": "Model", "Arguments": {"PrimaryContainer": MODEL_DATA}},
        {"Name": "If", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.N"}, "RightValue": 3}],
            "IfSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}], "ElseSteps": []}},
    ],
}  # fmt: skip
ODD: list[Any] = [
    None, "", 0, -1, 1.5, 1e300, True, [], {}, [None], {"": None}, "x" * 3000, "../..", "s3://bucket/../../etc",
    "s3://", "s3://bucket", "image", "\0", "\U0001f600", "NaN", "$", "${x}", "(a+)+$", "[", "Pipe", "Gzip", "a/b", "/",
    "ManifestFile", "ShardedByS3Key", "Logarithmic", "Grid", "Hyperband", {"Get": "Parameters.Nope"}, {"Get": 1},
    {"Get": "Steps.Train.x"}, {"Std:Join": {"On": "", "Values": []}}, {"Std:JsonGet": {}}, 10**20,
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys or indices."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


def mutated(value: Any, rng: random.Random) -> Any:
    changed = copy.deepcopy(value)
    for _ in range(rng.choice([0, 1, 1, 2])):
        holder, key = rng.choice(list(places(changed)))
        how = rng.random()
        if how < 0.2:
            del holder[key]
        elif how < 0.8 or isinstance(holder, list):
            holder[key] = copy.deepcopy(rng.choice(ODD))
        else:
            holder[rng.choice(["", "Get", f"{key}x"])] = holder.pop(key)
    return changed


@pytest.fixture
def api(context: Context, namespaces: None) -> JsonApi:
    context.store.objects.put_bytes(b"1\n", parse_uri("s3://bucket/in/a.csv"))
    return JsonApi("sagemaker", endpoint.sagemaker_operations(), context)


def ask(api: JsonApi, operation: str, members: Any) -> int:
    body = json.dumps(members).encode()
    headers = {"x-amz-target": f"SageMaker.{operation}"}
    response = api(
        Request(method="POST", path="/", headers=headers, stream=io.BytesIO(body), length=len(body))
    )
    assert response.status in (200, 400), (operation, body, response.body)
    return response.status


def test_what_is_nearly_right_is_refused_or_comes_to_an_end(api, context, capfd) -> None:
    numbers = iter(range(10**6))
    jobs = {"TrainingJob": TRAINING, "ProcessingJob": PROCESSING, "HyperParameterTuningJob": TUNING}

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=st.integers(0, 2**64))
    def try_one(seed: int) -> None:
        rng, name = random.Random(seed), f"n{next(numbers)}"
        if rng.random() < 0.5:
            kind = rng.choice(list(jobs))
            ask(api, f"Create{kind}", {**mutated(jobs[kind], rng), f"{kind}Name": name})
            return
        text = json.dumps(mutated(DEFINITION, rng))
        pipeline = {
            "PipelineName": name,
            "PipelineDefinition": text,
            "RoleArn": ROLE,
            "ClientRequestToken": "t" * 32,
        }
        if ask(api, "CreatePipeline", pipeline) == 200:
            ask(api, "StartPipelineExecution", {"PipelineName": name, "ClientRequestToken": "t" * 32})

    try_one()
    context.background.close(grace=5)
    ended = [each[member] for kind, member in STATUS.items() for each in context.store.resources.all(kind)]
    assert ended and not {"InProgress", "Stopping"} & set(ended)
    assert {each["status"] for each in context.store.executions()} <= {"Succeeded", "Failed", "Stopped"}
    assert "Traceback" not in capfd.readouterr().err
