from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.conftest import wait_until
from trainyard.errors import Conflict, NotFound
from trainyard.execution.machine import Machine
from trainyard.execution.request import ARN, Ended
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target, Targets
from trainyard.local_aws.json_api import JsonApi, service_model
from trainyard.local_aws.sagemaker import jobs, tags

ROLE = "arn:aws:iam::000000000000:role/local"
OPERATIONS = {**jobs.OPERATIONS, **tags.OPERATIONS}


@pytest.fixture
def api(context, serve, client) -> Any:
    return client("sagemaker", serve(JsonApi("sagemaker", OPERATIONS, context)), max_pool_connections=50)


@pytest.fixture
def train(api, store):
    """Create a training job that runs a script."""

    def create(name: str, script: str = "", **more: Any) -> dict[str, Any]:
        store.objects.put_bytes(script.encode(), parse_uri(f"s3://bucket/code/{name}/main.py"))
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/code/{name}/"}
        request = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": "image", "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
            },
            "RoleArn": ROLE,
            "InputDataConfig": [{"ChannelName": "code", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **more,
        }  # fmt: skip
        return api.create_training_job(**request)

    return create


@pytest.fixture
def process(api):
    def create(name: str, script: str, **more: Any) -> dict[str, Any]:
        return api.create_processing_job(
            ProcessingJobName=name, RoleArn=ROLE,
            AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["python3", "-c", script]},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            **more,
        )  # fmt: skip

    return create


def described(api, name: str) -> dict[str, Any]:
    """A training job, as the service model wants it."""
    return valid("DescribeTrainingJob", api.describe_training_job(TrainingJobName=name))


def valid(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    shape = service_model("sagemaker").operation_model(operation).output_shape
    members = {member: value for member, value in answer.items() if member != "ResponseMetadata"}
    assert ParamValidator().validate(members, shape).generate_report() == ""
    return answer


def ended(api, name: str) -> dict[str, Any]:
    wait_until(lambda: described(api, name)["TrainingJobStatus"] not in ("InProgress", "Stopping"))
    return described(api, name)


def error_of(call, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def test_a_training_job_from_creation_to_completion(api, train, store, namespaces) -> None:
    script = "import pathlib; pathlib.Path('/opt/ml/model/weights').write_text('w'); print('trained')"
    arn = train("job-1", script, Tags=[{"Key": "team", "Value": "a"}])["TrainingJobArn"]
    assert arn.endswith(":training-job/job-1")
    begun = described(api, "job-1")
    assert begun["TrainingJobStatus"] in ("InProgress", "Completed")
    done = ended(api, "job-1")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Completed", "Completed")
    assert done["ModelArtifacts"] == begun["ModelArtifacts"]
    assert store.objects.exists(parse_uri(done["ModelArtifacts"]["S3ModelArtifacts"]))
    assert (
        done["CreationTime"] == begun["CreationTime"] <= done["TrainingStartTime"] <= done["TrainingEndTime"]
    )
    assert [each["Status"] for each in done["SecondaryStatusTransitions"]][-1] == "Completed"
    assert api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
    (summary,) = api.list_training_jobs(StatusEquals="Completed")["TrainingJobSummaries"]
    assert (summary["TrainingJobArn"], summary["TrainingJobStatus"]) == (arn, "Completed")
    assert "HyperParameters" not in summary
    api.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="job-1")


def test_user_code_that_fails_is_the_reason(api, train, process, namespaces) -> None:
    train("bad", "raise SystemExit(3)")
    assert "exit code: 3" in ended(api, "bad")["FailureReason"]
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/absent/"}
    train("lost", InputDataConfig=[{"ChannelName": "x", "DataSource": {"S3DataSource": source}}])
    assert ended(api, "lost")["FailureReason"].startswith("channel 'x': no objects below")
    process("p", "print('x'); raise SystemExit(4)")
    wait_until(lambda: api.describe_processing_job(ProcessingJobName="p")["ProcessingJobStatus"] == "Failed")
    failed = valid("DescribeProcessingJob", api.describe_processing_job(ProcessingJobName="p"))
    assert "exit code: 4" in failed["FailureReason"]
    assert valid("ListProcessingJobs", api.list_processing_jobs())["ProcessingJobSummaries"]


def test_stopping_gives_the_script_its_grace(api, train, namespaces) -> None:
    train(
        "long",
        "import pathlib, signal, sys, time\n"
        "def stop(*args): pathlib.Path('/opt/ml/model/saved').touch(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop); print('up', flush=True); time.sleep(60)",
    )
    wait_until(lambda: described(api, "long")["SecondaryStatus"] == "Training")
    time.sleep(0.3)
    api.stop_training_job(TrainingJobName="long")
    api.stop_training_job(TrainingJobName="long")  # asked again, it is not killed
    assert described(api, "long")["TrainingJobStatus"] in ("Stopping", "Stopped")
    stopped = ended(api, "long")
    assert (stopped["TrainingJobStatus"], stopped["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert error_of(api.stop_training_job, TrainingJobName="long") == (
        "ValidationException",
        "The request was rejected because the training job is in status Stopped.",
    )


def test_what_is_not_there_and_what_is_there_already(api, train, process, namespaces) -> None:
    for call in (api.describe_training_job, api.stop_training_job):
        assert error_of(call, TrainingJobName="x") == ("ValidationException", "Requested resource not found.")
    for call in (api.describe_processing_job, api.stop_processing_job):
        answer = error_of(call, ProcessingJobName="x")
        assert answer == ("ValidationException", "Could not find requested job with name: x")
    assert error_of(api.describe_transform_job, TransformJobName="x")[1].startswith(
        "Could not find requested job"
    )
    transform = {
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/i"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/o"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    message = error_of(api.create_transform_job, TransformJobName="x", ModelName="none", **transform)[1]
    assert message.startswith("Could not find model ")
    for call in (
        api.describe_hyper_parameter_tuning_job,
        api.list_training_jobs_for_hyper_parameter_tuning_job,
    ):
        assert error_of(call, HyperParameterTuningJobName="x") == (
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called x. Type another name.",
        )
    train("a", "")
    code, message = error_of(train, name="a")
    assert (code, message.partition(",")[0]) == (
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region",
    )
    ended(api, "a")
    code, message = error_of(process, name="a", script="")  # the log of the training job lies there
    assert code == "ResourceInUse"
    assert "share their names" in message


def test_refusals_do_not_speak_of_steps_and_leave_nothing(api, train, store) -> None:
    algorithm = {"TrainingImage": "unknown/image:1", "TrainingInputMode": "File"}
    code, message = error_of(train, name="a", AlgorithmSpecification=algorithm)
    assert code == "ValidationException"
    assert "unknown/image:1" in message
    assert "step" not in message.partition(";")[0]
    source = {"FileSystemDataSource": {
        "FileSystemId": "fs-0123456789", "FileSystemAccessMode": "ro", "FileSystemType": "EFS", "DirectoryPath": "/x",
    }}  # fmt: skip
    code, message = error_of(train, name="a", InputDataConfig=[{"ChannelName": "c", "DataSource": source}])
    assert code == "ValidationException"
    assert message.startswith("InputDataConfig[0].DataSource.FileSystemDataSource: cannot be honoured here")
    assert "step" not in message
    twice = [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]
    assert "Duplicate tag keys" in error_of(train, name="a", Tags=twice)[1]
    assert api.list_training_jobs()["TrainingJobSummaries"] == []
    assert not store.job_folder("a").exists()


@pytest.fixture
def waiting(context, store, plain_venv):
    """A context whose jobs run until they are stopped, or as long as their MaxRuntimeInSeconds."""

    def launch(request, hosts, stop, tick):
        deadline = time.monotonic() + request.max_runtime
        while time.monotonic() < deadline:
            if stop.requested:
                return Ended(exit_codes=(143,), stopped="Stopped")
            tick()
            time.sleep(0.02)
        return Ended(exit_codes=(0,))

    targets = Targets({"image": Target("venv", str(plain_venv))}, {}, Path("/"))
    machine = Machine(store=store, launcher=launch, targets=targets)
    return replace(context, new_machine=lambda: machine)


@pytest.fixture
def fifty(waiting, serve, client):
    return client("sagemaker", serve(JsonApi("sagemaker", OPERATIONS, waiting)), max_pool_connections=50)


def _request(name: str, seconds: int) -> dict[str, Any]:
    return {
        "TrainingJobName": name, "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
    }  # fmt: skip


def test_fifty_clients_at_once(fifty, store, waiting) -> None:
    start = threading.Barrier(50)

    def live(number: int) -> str:
        name = f"job-{number}"
        start.wait()
        arn = fifty.create_training_job(**_request(name, 60))["TrainingJobArn"]
        assert described(fifty, name)["TrainingJobStatus"] == "InProgress"
        assert error_of(fifty.create_training_job, **_request(name, 60))[0] == "ResourceInUse"
        fifty.stop_training_job(TrainingJobName=name)
        assert described(fifty, name)["TrainingJobStatus"] in ("Stopping", "Stopped")
        assert ended(fifty, name)["TrainingJobStatus"] == "Stopped"
        return arn

    with ThreadPoolExecutor(50) as pool:
        arns = set(pool.map(live, range(50)))
    assert len(arns) == 50
    pages = fifty.get_paginator("list_training_jobs").paginate(StatusEquals="Stopped", MaxResults=7)
    listed = [job["TrainingJobArn"] for page in pages for job in page["TrainingJobSummaries"]]
    assert len(listed) == 50
    assert set(listed) == arns
    assert store.recorder.running() == []


def test_one_of_fifty_gets_the_name(fifty) -> None:
    start = threading.Barrier(50)

    def create(number: int) -> str:
        start.wait()
        try:
            return fifty.create_training_job(**_request("same", 60))["TrainingJobArn"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(create, range(50)))
    assert codes.count("ResourceInUse") == 49
    assert described(fifty, "same")["SecondaryStatus"] in ("Starting", "Training")


def test_no_job_outlives_the_endpoint(fifty, waiting) -> None:
    fifty.create_training_job(**_request("a", 60))
    waiting.background.close()
    assert described(fifty, "a")["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="shutting down"):
        fifty.create_training_job(**_request("b", 60))
    assert error_of(fifty.describe_training_job, TrainingJobName="b")[1] == "Requested resource not found."


def test_only_managed_spot_training_can_be_interrupted(fifty, waiting) -> None:
    fifty.create_training_job(**_request("plain", 60))
    with pytest.raises(Conflict, match="no managed spot"):
        waiting.store.recorder.interrupt("plain")
    with pytest.raises(NotFound):
        waiting.store.recorder.interrupt("x")
    stopping = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    spot = {**_request("spot", 60), "EnableManagedSpotTraining": True, "StoppingCondition": stopping}
    fifty.create_training_job(**spot)
    wait_until(lambda: described(fifty, "spot")["SecondaryStatus"] == "Training")
    waiting.store.recorder.interrupt("spot")
    time.sleep(0.3)
    fifty.stop_training_job(TrainingJobName="spot")
    passed = [each["Status"] for each in ended(fifty, "spot")["SecondaryStatusTransitions"]]
    assert passed.count("Interrupted") == 1
    assert passed.count("Training") == 2


def test_the_trials_of_a_tuning_job(api, store) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/t"
    config = {
        "Strategy": "Random", "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1},
    }  # fmt: skip
    store.recorder.begin("hyper-parameter-tuning-job", "t", {"HyperParameterTuningJobConfig": config})
    for number, value in enumerate((0.5, None, 0.25)):
        metric = {"MetricName": "m", "Value": value}
        trial = {"FinalHyperParameterTuningJobObjectiveMetric": metric} if value is not None else {}
        members = {**trial, "TuningJobArn": arn, "TunedHyperParameters": {"x": str(number)}}
        store.recorder.begin(
            "training-job", f"t-{number}", {**members, "OutputDataConfig": {"S3OutputPath": "s3://b"}}
        )
    store.recorder.begin("training-job", "other", {"OutputDataConfig": {"S3OutputPath": "s3://b"}})
    call = api.list_training_jobs_for_hyper_parameter_tuning_job

    def names(**more: Any) -> list[str]:
        answer = call(HyperParameterTuningJobName="t", **more)["TrainingJobSummaries"]
        return [each["TrainingJobName"] for each in answer]

    assert names() == ["t-0", "t-1", "t-2"]
    assert names(SortBy="FinalObjectiveMetricValue") == ["t-2", "t-0"]
    assert names(SortBy="FinalObjectiveMetricValue", SortOrder="Descending") == ["t-0", "t-2"]
    assert names(SortBy="CreationTime", SortOrder="Descending", MaxResults=2) == ["t-2", "t-1"]
    store.recorder.stop("training-job", "t-1")
    assert (names(StatusEquals="Stopping"), names(StatusEquals="Completed")) == (["t-1"], [])
    (summary,) = api.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert (summary["Strategy"], summary["ObjectiveStatusCounters"]["Pending"]) == ("Random", 0)
    assert summary["ResourceLimits"] == config["ResourceLimits"]
    answer = api.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="t")
    found = valid("DescribeHyperParameterTuningJob", answer)
    assert found["HyperParameterTuningJobConfig"] == config
    assert found["TrainingJobStatusCounters"]["InProgress"] == 0


def test_a_tuning_job_that_has_ended_can_be_deleted(api, store) -> None:
    name = {"HyperParameterTuningJobName": "t"}
    kind, arn = "hyper-parameter-tuning-job", f"{ARN}:hyper-parameter-tuning-job/t"
    config = {"HyperParameterTuningJobConfig": {"Strategy": "Random", "ResourceLimits": {}}}
    recording = store.recorder.begin(kind, "t", config)
    place = {"TuningJobArn": arn, "OutputDataConfig": {"S3OutputPath": "s3://b"}}
    store.recorder.begin("training-job", "t-1", {**place, "TunedHyperParameters": {}})
    api.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    code, message = error_of(api.delete_hyper_parameter_tuning_job, **name)
    assert (code, "in status InProgress" in message) == ("ValidationException", True)
    with recording:
        pass
    api.delete_hyper_parameter_tuning_job(**name)
    assert api.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
    assert error_of(api.delete_hyper_parameter_tuning_job, **name)[0] == "ResourceNotFound"
    assert described(api, "t-1")["TuningJobArn"] == arn
    store.recorder.begin(kind, "t", config)
    assert api.list_training_jobs_for_hyper_parameter_tuning_job(**name)["TrainingJobSummaries"] == []
    assert api.list_tags(ResourceArn=arn)["Tags"] == []


def test_a_job_whose_endpoint_was_killed_is_failed_to_the_next(api, store) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainyard.execution.store import Store\n"
        "output = {'OutputDataConfig': {'S3OutputPath': 's3://b/o'}}\n"
        "Store(Path(sys.argv[1])).recorder.begin('training-job', 'a', output)\n"
        "print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.home)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"up\n"
    assert described(api, "a")["TrainingJobStatus"] == "InProgress"
    code, message = error_of(api.stop_training_job, TrainingJobName="a")
    assert (code, "runs in another process" in message) == ("ValidationException", True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert ended(api, "a")["FailureReason"].startswith("InternalServerError")
    assert error_of(api.stop_training_job, TrainingJobName="a")[1].endswith("in status Failed.")
