"""The function as Lambda runs it: a process that reaches AWS, here a local endpoint, and nothing of ours."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from trainyard.execution import functions
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.request import REGION
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Targets
from trainyard.local_aws import endpoint

MODELS = ("fold_0", "fold_1")


@pytest.fixture
def url(store):
    def machine(url: str) -> Machine:
        launcher = VenvLauncher(Environments(store.home / "venvs"), {})
        return Machine(store=store, launcher=launcher, targets=Targets({}, {}, store.home), endpoint_url=url)

    with endpoint.private(store, machine) as url:
        yield url


@pytest.fixture
def sagemaker(url):
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": REGION}
    return boto3.client("sagemaker", endpoint_url=url, **keys)


@pytest.fixture
def train(store):
    """Leave behind what a training job and the evaluation of its models do; the answer is the job's event."""

    def put(uri: str, content: bytes) -> None:
        store.objects.put_bytes(content, parse_uri(uri))

    def make(job: str, recall: float = 0.5) -> dict[str, Any]:
        output, data = f"s3://bucket/out/{job}", f"s3://bucket/data-of-{job}/"
        put(f"{data}data.npy", job.encode())
        for number, model in enumerate((*MODELS, "mean")):
            put(f"{output}/output/model/{model}.tar.gz", f"{job} {model}".encode())
            quality = {
                "binary_classification_metrics": {
                    "recall": {"value": recall + number / 10, "standard_deviation": 0.01},
                    "confusion_matrix": {"0": {"0": 9, "1": 1}},
                    "precision_recall_curve": {"recalls": [1.0], "precisions": [0.1]},
                },
                "scarce_class_metrics": {"average_precision": {"value": 0.25, "standard_deviation": "NaN"}},
            }
            put(f"{output}/eval/models/{model}/model_quality.json", json.dumps(quality).encode())
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}
        request = {
            "InputDataConfig": [{"ChannelName": "train_data", "DataSource": source}],
            "HyperParameters": {"alpha": "0.7", "body": "15,21,8", "nothing": "", "models": "x" * 257},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        }
        with store.recorder.begin("training-job", job, request) as recording:
            recording.finish({**request, "TrainingJobName": job, "TrainingJobStatus": "Completed"})
        common = {"group": "models", "training_job": job, "models": f"{output}/output/model/"}
        return {
            **common,
            "together": "mean.tar.gz",
            "output": "s3://bucket/out",
            "evaluation": f"{output}/eval",
        }

    return make


@pytest.fixture
def call(store, url):
    def invoke(action: str, event: dict[str, Any]) -> Any:
        payload = {
            "status": "PendingManualApproval", "image": "image", "content_types": ["text/csv"],
            "response_types": ["text/csv"], "instances": ["ml.m5.large"],
            "properties": {"PipelineExecutionId": "run-1", "GitRevision": "0a1b"}, **event, "action": action,
        }  # fmt: skip
        ended = functions.invoke(store, "register_models", json.dumps(payload).encode(), endpoint_url=url)
        assert not ended.error, ended.log.decode()
        return ended.result

    return invoke


def listed(store, answer) -> list[dict[str, Any]]:
    return json.loads(store.objects.read(parse_uri(f"{answer['RegisteredUri']}registered.json")))


def test_each_model_of_a_job_is_a_version_with_its_metrics_and_where_it_comes_from(
    store, call, train, sagemaker
):
    answer = call("register", train("job-1"))
    first, second = answer["ModelPackageArns"].split(",")

    assert answer["NewModelPackages"] == 2
    package = sagemaker.describe_model_package(ModelPackageName=second)
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == "s3://bucket/out/job-1/output/model/fold_1.tar.gz"
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert store.registry.metrics(first)["recall"] == 0.5
    assert store.registry.metrics(second)["recall"] == 0.6
    properties = package["CustomerMetadataProperties"]
    digest = properties.pop("DataDigest.train_data")
    assert len(digest) == 64
    assert properties == {
        "ModelKey": "fold_1",
        "TrainingJobName": "job-1",
        "PipelineExecutionId": "run-1",
        "GitRevision": "0a1b",
        "TogetherDataUrl": "s3://bucket/out/job-1/output/model/mean.tar.gz",
        "TogetherModelQuality": "s3://bucket/out/job-1/eval/models/mean/model_quality.json",
        "Hyperparameter.alpha": "0.7",
        "Hyperparameter.body": "15 21 8",
    }
    call("register", train("job-2"))
    other = store.registry.describe(store.registry.versions("models")[-1]["arn"])
    assert other["CustomerMetadataProperties"]["DataDigest.train_data"] != digest


def test_an_archive_is_registered_once(store, call, train):
    first = call("register", train("job-1"))
    event = train("job-2")
    call("register", event)
    again = call("register", {**event, "properties": {"PipelineExecutionId": "run-2"}})
    once_more = call(
        "register", {**event, "training_job": "job-1", "models": "s3://bucket/out/job-1/output/model"}
    )

    assert again["NewModelPackages"] == once_more["NewModelPackages"] == 0
    assert once_more["ModelPackageArns"] == first["ModelPackageArns"]
    assert len(store.registry.versions("models")) == 4


def test_the_last_versions_are_those_of_other_jobs(store, call, train):
    assert listed(store, call("list", train("job-0"))) == []
    for number, job in enumerate(("job-1", "job-2", "job-3")):
        call("register", train(job, number / 10))
    answer = call("list", {**train("job-4"), "training_job": "job-3"})

    assert answer == {"RegisteredUri": "s3://bucket/out/job-3/registered/", "RegisteredModels": 3}
    metrics = [{"recall": recall, "average_precision": 0.25} for recall in (0.1, 0.2, 0.3)]
    assert [each["metrics"] | {"recall": round(each["metrics"]["recall"], 3)} for each in listed(store, answer)] == [
        metrics[0], metrics[1], metrics[2]
    ]  # fmt: skip
    assert [(each["model"], each["version"]) for each in listed(store, answer)] == [
        ("fold_0", 3), ("fold_1", 4), ("mean", 4)
    ]  # fmt: skip
    assert {each["status"] for each in listed(store, answer)} == {"PendingManualApproval"}


def test_a_job_without_models_and_an_unknown_action_say_so(store, url, train):
    for event, said in (
        ({**train("job-1"), "action": "register", "models": "s3://bucket/none/"}, "none/ has no archives"),
        ({"action": "delete"}, "action 'delete': must be one of list, register"),
    ):
        ended = functions.invoke(store, "register_models", json.dumps(event).encode(), endpoint_url=url)
        assert said in ended.result["errorMessage"]
    assert store.registry.groups() == []
