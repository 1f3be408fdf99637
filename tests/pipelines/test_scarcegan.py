"""The compiled ScarceGAN pipeline as it lies in golden/scarcegan.json, which test_golden.py keeps up to date."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipelines.reading import every_step, references
from trainyard.families import Family, find_family, repository_root

ROOT = repository_root()
GOLDEN = ROOT / "tests" / "pipelines" / "golden" / "scarcegan.json"
INPUTS = ["data_unlabeled", "data_risky", "data_dormant", "data_normal", "data_heavy"]


@pytest.fixture(scope="module")
def family() -> Family:
    return find_family(ROOT, "scarcegan")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def steps(document) -> dict[str, dict[str, Any]]:
    """All steps by name, those of the branches too."""
    return {step["Name"]: step for step in every_step(document["Steps"])}


def test_steps_follow_their_data(document, steps):
    needed = {
        name: {reference.split(".")[1] for reference in references(step) if reference.startswith("Steps.")}
        for name, step in steps.items()
    }
    condition = steps["CheckQuality"]["Arguments"]

    assert [step["Name"] for step in document["Steps"]] == [
        "Preprocess", "Train", "Registered", "Evaluate", "CheckQuality"
    ]  # fmt: skip
    assert [step["Name"] for step in condition["IfSteps"]] == ["RegisterModels"]
    assert [step["Name"] for step in condition["ElseSteps"]] == ["QualityTooLow"]
    assert not any("DependsOn" in step for step in steps.values())
    assert needed == {
        "Preprocess": set(),
        "Train": {"Preprocess"},
        "Registered": {"Train"},
        "Evaluate": {"Preprocess", "Train", "Registered"},
        "CheckQuality": {"Evaluate"},
        "RegisterModels": {"Train", "Evaluate"},
        "QualityTooLow": {"Evaluate"},
    }


def test_the_five_inputs_lie_below_one_address_where_preprocess_looks_for_them(steps, family):
    inputs = steps["Preprocess"]["Arguments"]["ProcessingInputs"]
    assert [each["InputName"] for each in inputs] == INPUTS
    for each in inputs:
        name, source = each["InputName"], each["S3Input"]
        whole = [{"Get": "Parameters.InputDataUri"}, f"{name}/"]
        assert source["S3Uri"] == {"Std:Join": {"On": "", "Values": whole}}
        assert source["LocalPath"] == f"/opt/ml/processing/input/{name}"


def test_the_channels_are_those_that_the_scripts_write_and_read(steps, family):
    outputs = {
        each["OutputName"]: each["S3Output"]["LocalPath"]
        for each in steps["Preprocess"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    }
    channels = [each["ChannelName"] for each in steps["Train"]["Arguments"]["InputDataConfig"]]
    writes, reads = ((family.folder / name).read_text() for name in ("outputs.py", "training_data.py"))

    assert len(outputs) == 10  # the most that a processing job may have
    assert outputs == {name: f"/opt/ml/processing/{name}" for name in outputs}
    for name in outputs.keys() - {"quality_output"}:
        assert f'"{name.removesuffix("_data").removesuffix("_label")}' in writes, name
    assert all(f'"{name}"' in reads for name in channels)
    assert len(channels) == 8


def test_what_is_registered_depends_on_nothing_of_the_execution(steps):
    """Else a second run would not be cached from here on."""
    step = steps["Registered"]
    assert step["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert references(step["Arguments"]) == {
        "Parameters.ModelPackageGroupName",
        "Steps.Train.TrainingJobName",
        "Steps.Train.ModelArtifacts.S3ModelArtifacts",
        "Steps.Train.OutputDataConfig.S3OutputPath",
    }


def test_models_are_registered_pending_with_where_they_come_from(steps, family):
    step = steps["RegisterModels"]
    event = step["Arguments"]
    assert "CacheConfig" not in step
    assert step["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:register_models"
    assert step["FunctionArn"] == steps["Registered"]["FunctionArn"]
    assert event["status"] == {"Get": "Parameters.ModelApprovalStatus"}
    assert event["content_types"] == list(family.serving.content_types)
    assert event["properties"] == {
        "PipelineExecutionId": {"Get": "Execution.PipelineExecutionId"},
        "InputDataUri": {"Get": "Parameters.InputDataUri"},
        "GitRevision": {"Get": "Parameters.GitRevision"},
    }


def test_the_gate_reads_the_evaluation_and_says_why_it_refuses(steps):
    conditions = steps["CheckQuality"]["Arguments"]["Conditions"]
    words = steps["QualityTooLow"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert [
        (each["Type"], each["LeftValue"]["Std:JsonGet"]["Path"], each["RightValue"]) for each in conditions
    ] == [
        ("GreaterThanOrEqualTo", "overall.recall", {"Get": "Parameters.MinRecall"}),
        ("GreaterThanOrEqualTo", "overall.average_precision", {"Get": "Parameters.MinAveragePrecision"}),
    ]
    assert all(each[side] in words for each in conditions for side in ("LeftValue", "RightValue"))


def test_each_step_has_an_instance_type_of_its_own(steps):
    for name in ("Preprocess", "Evaluate"):
        cluster = steps[name]["Arguments"]["ProcessingResources"]["ClusterConfig"]
        assert cluster["InstanceType"] == {"Get": f"Parameters.{name}InstanceType"}
    resources = steps["Train"]["Arguments"]["ResourceConfig"]
    assert resources["InstanceType"] == {"Get": "Parameters.TrainInstanceType"}


def test_no_commit_changes_the_definition(document):
    parameters = {each["Name"]: each for each in document["Parameters"]}
    assert parameters["GitRevision"]["DefaultValue"] == ""
