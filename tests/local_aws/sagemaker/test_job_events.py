from __future__ import annotations

import sqlite3

import pytest

from trainyard.execution.request import ARN
from trainyard.execution.resources import TAGS
from trainyard.local_aws.sagemaker.job_events import announcer

KIND = "training-job"


@pytest.fixture
def recorder(context, store):
    store.recorder.changes = announcer(context)
    return store.recorder


def test_each_status_of_a_training_job_with_what_describe_answers_and_its_tags(recorder, store, emitted):
    place = {"OutputDataConfig": {"S3OutputPath": "s3://bucket/out"}}
    recording = recorder.begin(KIND, "a", {**place, "Private": 1})
    store.resources.add(TAGS, f"{ARN}:{KIND}/a", {"Tags": [{"Key": "team", "Value": "x"}]})
    with recording:
        recording.update(TrainingStartTime=1.0)  # no other status: no event
        recorder.stop(KIND, "a")
        ended = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped", "TrainingJobName": "a"}
        recording.finish({**place, **ended, "TrainingJobArn": f"{ARN}:{KIND}/a"})
    assert {kind for kind, _ in emitted} == {"SageMaker Training Job State Change"}
    statuses = [(detail["TrainingJobStatus"], detail["SecondaryStatus"]) for _, detail in emitted]
    assert statuses == [
        ("InProgress", "Starting"), ("InProgress", "Training"), ("Stopping", "Stopping"), ("Stopped", "Stopped"),
    ]  # fmt: skip
    for _, detail in emitted:
        assert detail["Tags"] == {"team": "x"}
        assert detail["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/out/a/output/model.tar.gz"}
        assert "Private" not in detail


@pytest.mark.parametrize(
    ("kind", "name", "member"),
    [
        ("processing-job", "SageMaker Processing Job State Change", "ProcessingJobStatus"),
        ("transform-job", "SageMaker Transform Job State Change", "TransformJobStatus"),
        (
            "hyper-parameter-tuning-job",
            "SageMaker HyperParameter Tuning Job State Change",
            "HyperParameterTuningJobStatus",
        ),
    ],
)
def test_a_job_that_dies_has_failed(recorder, emitted, kind, name, member):
    config = {"HyperParameterTuningJobConfig": {"Strategy": "Random", "ResourceLimits": {}}}
    with recorder.begin(kind, "a", config if kind.startswith("hyper") else {}):
        pass
    assert [(kind, detail[member]) for kind, detail in emitted] == [(name, "InProgress"), (name, "Failed")]
    assert "the process that ran it died" in emitted[-1][1]["FailureReason"]


def test_a_job_does_not_fail_for_its_event(recorder, store, emitted, capsys):
    recording = recorder.begin(KIND, "a", {"OutputDataConfig": {"S3OutputPath": "s3://bucket/out"}})
    with sqlite3.connect(store.database) as connection:
        connection.execute(
            "INSERT INTO resources VALUES (?, ?, '', 'no JSON', 99)", (TAGS, f"{ARN}:{KIND}/a")
        )
    with recording:
        recording.finish({"TrainingJobStatus": "Completed", "TrainingJobArn": f"{ARN}:{KIND}/a"})
    assert store.resources.get(KIND, "a")["TrainingJobStatus"] == "Completed"
    assert emitted == []
    assert "SageMaker Training Job State Change" in capsys.readouterr().err
