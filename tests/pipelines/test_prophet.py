"""The compiled Prophet pipeline as it lies in golden/prophet.json, which test_golden.py keeps up to date."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipelines.reading import every_step, references
from trainyard.families import Family, find_family, repository_root

ROOT = repository_root()
GOLDEN = ROOT / "tests" / "pipelines" / "golden" / "prophet.json"


@pytest.fixture(scope="module")
def family() -> Family:
    return find_family(ROOT, "prophet")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def steps(document) -> dict[str, dict[str, Any]]:
    """All steps by name, those of the branches too."""
    return {step["Name"]: step for step in every_step(document["Steps"])}


def test_steps_follow_their_data(document, steps):
    top = {step["Name"]: step["Type"] for step in document["Steps"]}
    condition = steps["CheckAccuracy"]["Arguments"]
    needed = {
        name: {reference.split(".")[1] for reference in references(step) if reference.startswith("Steps.")}
        for name, step in steps.items()
    }

    assert top == {
        "Preprocess": "Processing",
        "Train": "Training",
        "Evaluate": "Processing",
        "CheckAccuracy": "Condition",
    }
    assert [step["Type"] for step in condition["IfSteps"]] == ["RegisterModel"]
    assert [step["Type"] for step in condition["ElseSteps"]] == ["Fail"]
    assert not any("DependsOn" in step for step in steps.values())
    assert needed == {
        "Preprocess": set(),
        "Train": {"Preprocess"},
        "Evaluate": {"Preprocess", "Train"},
        "CheckAccuracy": {"Evaluate"},
        "RegisterModel": {"Train", "Evaluate"},
        "AccuracyTooLow": {"Evaluate"},
    }


def test_the_parameters_of_a_run(document):
    parameters = {one["Name"]: (one["Type"], one.get("DefaultValue")) for one in document["Parameters"]}
    expected = {
        "ImageUri": ("String", "trainyard/prophet:local"),
        "InputDataUri": ("String", None),
        "OutputDataUri": ("String", "s3://trainyard-local/prophet"),
        "CustomerColumn": ("String", "customer_id"),
        "TimestampColumn": ("String", "timestamp"),
        "ValueColumn": ("String", "consumption"),
        "Horizon": ("Integer", 7),
        "TrainingInstanceCount": ("Integer", 1),
        "MaxMase": ("Float", 1.0),
        "MaxFailedShare": ("Float", 0.05),
        "ModelPackageGroupName": ("String", "prophet"),
        "ModelApprovalStatus": ("String", "PendingManualApproval"),
    }
    assert parameters | expected == parameters


def test_training_is_sharded_interruptible_and_measured_as_the_manifest_says(steps, family):
    train = steps["Train"]["Arguments"]
    customers = {"Get": "Steps.Preprocess.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}
    folder = {"Std:Join": {"On": "", "Values": [customers, "/"]}}
    (channel,) = train["InputDataConfig"]

    assert channel["ChannelName"] == "training"
    assert channel["DataSource"]["S3DataSource"] == {
        "S3DataType": "S3Prefix",
        "S3Uri": folder,
        "S3DataDistributionType": "ShardedByS3Key",
    }
    assert train["ResourceConfig"]["InstanceCount"] == {"Get": "Parameters.TrainingInstanceCount"}
    assert train["EnableManagedSpotTraining"] is family.training.spot is True
    assert train["StoppingCondition"] == {"MaxRuntimeInSeconds": 21600, "MaxWaitTimeInSeconds": 43200}
    assert train["CheckpointConfig"] == {
        "LocalPath": family.training.checkpoint,
        "S3Uri": {"Std:Join": {"On": "", "Values": [customers, "-checkpoints"]}},
    }
    assert train["OutputDataConfig"]["CompressionType"] == "NONE"
    assert train["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": metric.name, "Regex": metric.regex} for metric in family.training.metrics
    ]


def test_the_gate_reads_the_evaluation_and_says_why_it_refuses(steps):
    mase = {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"},
            "Path": "overall.mase.median",
        }
    }
    threshold = {"Get": "Parameters.MaxMase"}
    assert steps["Evaluate"]["PropertyFiles"] == [
        {"PropertyFileName": "EvaluationReport", "OutputName": "evaluation", "FilePath": "evaluation.json"}
    ]
    assert steps["CheckAccuracy"]["Arguments"]["Conditions"] == [
        {"Type": "LessThanOrEqualTo", "LeftValue": mase, "RightValue": threshold}
    ]
    assert steps["AccuracyTooLow"]["Arguments"]["ErrorMessage"] == {
        "Std:Join": {
            "On": "",
            "Values": ["The median MASE is ", mase, "; MaxMase allows at most ", threshold],
        }
    }


def test_jobs_are_cached_and_all_calls_retried(steps):
    calls, jobs = "Step.SERVICE_FAULT", "SageMaker.CAPACITY_ERROR"
    for name, cached, retried in (
        ("Preprocess", True, [calls, jobs]),
        ("Train", True, [calls, jobs]),
        ("Evaluate", True, [calls, jobs]),
        ("CheckAccuracy", False, []),
        ("RegisterModel", False, [calls]),
        ("AccuracyTooLow", False, []),
    ):
        policies = steps[name].get("RetryPolicies", [])
        assert steps[name].get("CacheConfig") == (
            {"Enabled": True, "ExpireAfter": "P30D"} if cached else None
        )
        assert len(policies) == len(retried)
        assert all(one in policy["ExceptionType"] for one, policy in zip(retried, policies, strict=True))


def test_no_input_reads_the_checkpoints_beside_it(steps):
    """An S3 prefix is text: ``.../train`` would take in ``.../train-checkpoints/`` on the next run."""
    inputs = [
        each["S3Input"]["S3Uri"]
        for step in ("Preprocess", "Evaluate")
        for each in steps[step]["Arguments"]["ProcessingInputs"]
    ]
    inputs += [
        each["DataSource"]["S3DataSource"]["S3Uri"] for each in steps["Train"]["Arguments"]["InputDataConfig"]
    ]
    of_preprocess = [uri for uri in inputs if "Steps.Preprocess" in json.dumps(uri)]
    assert len(of_preprocess) == 4
    assert all(uri["Std:Join"]["Values"][-1] == "/" for uri in of_preprocess)


def test_the_package_is_the_folder_of_all_models_with_its_metrics(steps):
    register = steps["RegisterModel"]["Arguments"]
    (container,) = register["InferenceSpecification"]["Containers"]
    assert container["ModelDataSource"]["S3DataSource"] == {
        "S3Uri": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    statistics = register["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"]["Std:Join"]["Values"][-1] == "/model_quality.json"
    assert set(register["CustomerMetadataProperties"]) >= {"PipelineExecutionId", "InputDataUri", "Horizon"}
