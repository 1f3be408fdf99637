from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from tests.conftest import filled, wait_until
from trainyard.errors import EndpointError
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
from trainyard.local_aws import endpoint
from trainyard.local_aws.record import Record
from trainyard.local_aws.sagemaker.execution_events import STEP_STATUS_CHANGE

ROLE = "arn:aws:iam::000000000000:role/any"
CODE = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
print("waiting", flush=True)
time.sleep(60)
"""


@contextmanager
def up(store: Store, machine, port: int = 0):
    """The endpoint in a thread of this process; gives its address."""
    stop, ready, failure = threading.Event(), threading.Event(), []
    found: list[str] = []

    def tell(url: str) -> None:
        found.append(url)
        ready.set()

    def run() -> None:
        try:
            endpoint.run(store, machine, port, stop, tell)
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(20)
    try:
        if failure:
            raise failure[0]
        yield found[0]
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def machine(store, plain_venv):
    targets = Targets({"image": Target("venv", str(plain_venv))}, {}, store.home)
    launcher = VenvLauncher(Environments(store.home / "venvs"), {})

    def make(url: str) -> Machine:
        return Machine(store=store, launcher=launcher, targets=targets, endpoint_url=url)

    return make


def test_it_answers_from_ready_on_and_is_found_by_its_record(store, machine, client):
    record = Record(store.home)
    with up(store, machine) as url:
        wait_until(lambda: bool(record.read() and record.read().url == url))
        assert json.load(urlopen(f"{url}/_trainyard/health"))["running"] == 0
        assert "trainyard-local" in [each["Name"] for each in client("s3", url).list_buckets()["Buckets"]]
        assert client("sagemaker", url).list_training_jobs()["TrainingJobSummaries"] == []
        with pytest.raises(
            ClientError, match="CreateNotebookInstance is not supported by the local endpoint"
        ):
            client("sagemaker", url).create_notebook_instance(
                NotebookInstanceName="n",
                InstanceType="ml.t3.medium",
                RoleArn=ROLE,
            )
        with pytest.raises(EndpointError, match="is up"), up(store, machine):
            pass
    assert record.read() is None
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", urlsplit(url).port)).close()


def test_a_taken_port_leaves_nothing_behind(store, machine):
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(EndpointError, match="--port"), up(store, machine, other.getsockname()[1]):
            pass
        assert Record(store.home).read() is None


def test_a_private_one_is_beside_the_stores_and_has_no_rules(store, machine, client):
    with up(store, machine) as url, endpoint.private(store, machine) as private:
        client("s3", private).create_bucket(Bucket="made")
        assert "made" in [each["Name"] for each in client("s3", url).list_buckets()["Buckets"]]
        assert client("sagemaker", private).list_training_jobs()["TrainingJobSummaries"] == []
        for service, operation in (("events", "list_rules"), ("logs", "describe_log_groups")):
            with pytest.raises(ClientError, match="UnsupportedOperation"):
                getattr(client(service, private), operation)()
        assert Record(store.home).read().url in (url, "")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", urlsplit(private).port)).close()


def test_jobs_are_interrupted_on_request_and_end_with_the_endpoint(
    store, machine, client, put_script, namespaces
):
    code = put_script("wait", CODE)
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code}}
    with up(store, machine) as url:
        client("sagemaker", url).create_training_job(
            TrainingJobName="job",
            RoleArn=ROLE,
            AlgorithmSpecification={
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
            },
            InputDataConfig=[{"ChannelName": "code", "DataSource": channel}],
            OutputDataConfig={"S3OutputPath": "s3://bucket/out"},
            ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        )

        def begun() -> int:
            return sum(log.read_text().count("waiting") for log in store.logs("job"))

        wait_until(lambda: begun() == 1)
        urlopen(Request(f"{url}/_trainyard/training-jobs/job/interrupt", method="POST"))
        wait_until(lambda: begun() == 2)
        assert json.load(urlopen(f"{url}/_trainyard/health"))["running"] == 1
    assert store.resources.get("training-job", "job")["TrainingJobStatus"] == "Stopped"


def test_rules_for_jobs_and_steps_fire(store, machine, client, put_script, namespaces):
    code = {"S3Uri": put_script("bad", "raise SystemExit(3)"), "LocalPath": "/opt/ml/processing/code"}
    command = ["python3", "/opt/ml/processing/code/main.py"]
    step = {"Name": "Bad", "Type": "Processing", "Arguments": {
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": command},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
        "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
    }}  # fmt: skip
    with up(store, machine) as url:
        sqs, events, sagemaker = (client(name, url) for name in ("sqs", "events", "sagemaker"))
        queue = sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for name, detail in (
            ("SageMaker Processing Job State Change", {"ProcessingJobStatus": ["Failed"]}),
            (STEP_STATUS_CHANGE, {"currentStepStatus": ["Failed"]}),
        ):
            pattern = json.dumps({"source": ["aws.sagemaker"], "detail-type": [name], "detail": detail})
            events.put_rule(Name=name.split()[1], EventPattern=pattern)
            events.put_targets(Rule=name.split()[1], Targets=[{"Id": "1", "Arn": arn}])
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        role = "arn:aws:iam::000000000000:role/any"
        sagemaker.create_pipeline(PipelineName="flow", PipelineDefinition=definition, RoleArn=role)
        execution = sagemaker.start_pipeline_execution(PipelineName="flow")["PipelineExecutionArn"]
        found = {}

        def both() -> bool:
            for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
                event = json.loads(message["Body"])
                found[event["detail-type"]] = event
            return len(found) == 2

        wait_until(both)
    job = found["SageMaker Processing Job State Change"]
    assert job["resources"] == [job["detail"]["ProcessingJobArn"]]
    assert job["detail"]["ProcessingEndTime"] > 1e12  # milliseconds
    assert found[STEP_STATUS_CHANGE]["resources"] == [execution.partition("/execution")[0], execution]


def test_interrupting_what_does_not_run_is_refused(store, machine):
    with up(store, machine) as url, pytest.raises(HTTPError) as refused:
        urlopen(Request(f"{url}/_trainyard/training-jobs/none/interrupt", method="POST"))
    assert refused.value.code == 404
    assert "no training-job 'none'" in refused.value.read().decode()


def test_a_full_disk_is_said_and_endured(small_disk, machine, client):
    store, long = Store(small_disk / "store"), "x" * 100_000
    step = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": long}}
    text = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    pipeline = {"PipelineName": "p", "PipelineDefinition": text, "RoleArn": ROLE}
    role = {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps({"x": long})}
    put = {"Bucket": "trainyard-local", "Key": "k", "Body": long.encode()}
    with up(store, lambda url: replace(machine(url), store=store)) as url:
        sagemaker, s3, iam = (client(name, url) for name in ("sagemaker", "s3", "iam"))
        iam.list_roles()
        with filled(small_disk):
            assert refusal(sagemaker.create_pipeline, **pipeline) == ("ResourceLimitExceeded", 400)
            assert refusal(s3.put_object, **put) == ("InsufficientStorage", 507)
            assert refusal(iam.create_role, **role) == ("ServiceUnavailable", 507)
            assert sagemaker.list_pipelines()["PipelineSummaries"] == []
        sagemaker.create_pipeline(**pipeline)
        s3.put_object(**put)


def refusal(call, **given) -> tuple[str, int]:
    with pytest.raises(ClientError, match="no space left") as refused:
        call(**given)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
