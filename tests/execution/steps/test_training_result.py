from __future__ import annotations

from pathlib import Path

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from trainyard.execution.attempts import Attempt
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Ended
from trainyard.execution.steps.training import plan
from trainyard.execution.steps.training_result import describe
from trainyard.execution.targets import Target, Targets

TARGETS = Targets({"image": Target("venv", "/v")}, {}, Path("/"))
ONCE = (Attempt(started=1.0, ended=3.4),)


@pytest.fixture
def described(training):
    """What is said of a job that ended so."""

    def make(attempts=ONCE, stopped="", failure="", spot=False, metrics=()):
        extra = {"EnableManagedSpotTraining": True} if spot else {}
        arguments = training("S", "s3://b/code/", extra=extra)["Arguments"]
        outcome = JobOutcome(
            request=plan("S", arguments, "job-1", TARGETS),
            ended=Ended(exit_codes=(0,), stopped=stopped),
            attempts=attempts,
            ended_at=attempts[-1].ended + 1,
            metrics=list(metrics),
            failure=failure,
        )
        return describe(arguments, outcome)

    return make


def steps_of(result):
    return [transition["Status"] for transition in result["SecondaryStatusTransitions"]]


def test_it_is_shaped_as_the_service_model_says(described) -> None:
    metrics = [{"MetricName": "loss", "Value": 1.0, "Timestamp": 2.0}]
    result = described(metrics=metrics)
    assert result["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/out/job-1/output/model.tar.gz"}
    assert (result["TrainingJobStatus"], result["SecondaryStatus"]) == ("Completed", "Completed")
    assert (result["TrainingStartTime"], result["TrainingEndTime"]) == (1.0, 4.4)
    assert (result["TrainingTimeInSeconds"], result["BillableTimeInSeconds"]) == (2, 2)
    assert result["FinalMetricDataList"] == metrics
    assert "FailureReason" not in result
    assert steps_of(result) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    shape = get_session().get_service_model("sagemaker").shape_for("DescribeTrainingJobResponse")
    assert ParamValidator().validate(result, shape).generate_report() == ""


@pytest.mark.parametrize(
    ("stopped", "words"),
    [("Stopped", "Training job stopped"), ("MaxRuntimeExceeded", "runtime exceeded MaxRuntimeInSeconds")],
)
def test_one_that_was_stopped_has_uploaded_what_it_had(described, stopped, words) -> None:
    result = described(stopped=stopped)
    assert (result["TrainingJobStatus"], result["SecondaryStatus"]) == ("Stopped", stopped)
    assert steps_of(result)[-2:] == ["Uploading", stopped]
    assert words in result["SecondaryStatusTransitions"][-1]["StatusMessage"]


def test_one_that_failed_has_uploaded_nothing_and_says_why(described) -> None:
    result = described(failure="AlgorithmError: exit code: 3")
    assert (result["TrainingJobStatus"], result["FailureReason"]) == (
        "Failed",
        "AlgorithmError: exit code: 3",
    )
    assert steps_of(result) == ["Starting", "Downloading", "Training", "Failed"]
    assert result["SecondaryStatusTransitions"][-1]["StatusMessage"] == "AlgorithmError: exit code: 3"


def test_an_interrupted_one_has_begun_again_and_is_billed_for_what_it_ran(described) -> None:
    attempts = (Attempt(started=10.0, ended=20.0, interrupted=True), Attempt(started=50.0, ended=60.0))
    result = described(attempts, spot=True)
    begun = ["Starting", "Downloading", "Training"]
    assert steps_of(result) == [*begun, "Interrupted", *begun, "Uploading", "Completed"]
    assert (result["TrainingTimeInSeconds"], result["BillableTimeInSeconds"]) == (20, 6)
    assert described(attempts)["BillableTimeInSeconds"] == 20


def test_times_are_never_nothing(described) -> None:
    result = described((Attempt(started=1.0, ended=1.1),), spot=True)
    assert (result["TrainingTimeInSeconds"], result["BillableTimeInSeconds"]) == (1, 1)
