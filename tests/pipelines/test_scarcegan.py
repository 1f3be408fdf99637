"""The compiled ScarceGAN pipeline as it lies in golden/scarcegan.json, which test_golden.py keeps up to date."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.reading import every_step, references
from trainyard.cli.main import main
from trainyard.execution import functions
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store, default_home
from trainyard.families import Family, find_family, repository_root

ROOT = repository_root()
GOLDEN = ROOT / "tests" / "pipelines" / "golden" / "scarcegan.json"
ENDED = ("Succeeded", "Failed")
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


LIST_WRONGLY = """
import boto3
def lambda_handler(event, context):
    folder = event["training_job"] + "/registered/"
    boto3.client("s3").put_object(Bucket="trainyard-local", Key=folder + "registered.json", Body=b"[3]")
    return {"RegisteredUri": "s3://trainyard-local/" + folder}
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run `trainyard run` in a store of its own; the answer has the steps that were not taken from the cache."""
    real = default_home()
    for name in ("venvs", "compiled"):
        (real / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(real / name)
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path))

    def call(*words: str) -> tuple[int, list[str], dict[str, Any]]:
        code = main(["run", *words, "--json"])
        document = json.loads(capsys.readouterr().out)
        steps = document["PipelineExecutionSteps"]
        ran = [each for each in steps if "CacheHitResult" not in each and each["StepStatus"] in ENDED]
        return code, [each["StepName"] for each in ran], document

    return call


@pytest.mark.slow
def test_what_has_changed_runs_and_a_failed_evaluation_goes_on_where_it_failed(run, namespaces):
    store, quick = Store(), ("--set", "Steps=60", "--set", "Interval=30", "--set", "MinRecall=0")
    quick += ("--set", "MinAveragePrecision=0")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("lambda_function.py", LIST_WRONGLY)
    settings = {"Runtime": "python3.11", "Handler": "lambda_function.lambda_handler", "Timeout": 60}
    functions.create(store, "register_models", settings, content.getvalue())  # comes before the repository's

    code, ran, document = run("scarcegan", *quick)
    assert code != 0 and ran == ["Preprocess", "Train", "Registered", "Evaluate"]
    assert "is no list of registered versions" in document["FailureReason"]
    job = {each["StepName"]: each for each in document["PipelineExecutionSteps"]}["Train"]["Metadata"]
    name = job["TrainingJob"]["Arn"].rpartition("/")[2]
    store.objects.put_bytes(b"[]", parse_uri(f"s3://trainyard-local/{name}/registered/registered.json"))
    functions.delete(store, functions.Reference("register_models"))

    code, _, document = run("--resume", "last")
    attempts = {each["StepName"]: each["AttemptCount"] for each in document["PipelineExecutionSteps"]}
    assert code == 0
    assert attempts == {
        "Preprocess": 1, "Train": 1, "Registered": 1, "Evaluate": 2, "CheckQuality": 1, "RegisterModels": 1
    }  # fmt: skip
    assert {each["ModelApprovalStatus"] for each in document["ModelPackages"]} == {"PendingManualApproval"}
    first = [each["ModelPackageArn"] for each in document["ModelPackages"]]
    assert len(first) == 4

    judged = ["CheckQuality", "RegisterModels"]
    code, ran, document = run(
        "scarcegan", *quick
    )  # the function that lists is another one now, its list is not
    assert (code, ran) == (0, ["Registered", *judged])
    code, ran, document = run("scarcegan", *quick)
    assert (code, ran) == (0, judged)
    assert [each["ModelPackageArn"] for each in document["ModelPackages"]] == first
    code, ran, document = run("scarcegan", *quick, "--set", "Alpha=0.8")
    assert (code, ran) == (0, ["Train", "Registered", "Evaluate", *judged])
    assert len(store.registry.versions("scarcegan")) == 8
    evaluation = Path(document["Reports"][0]).with_name("evaluation.json")
    before = {(each["model"], each["version"]) for each in json.loads(evaluation.read_text())["side_by_side"]}
    assert before == {("fold_0", "1"), ("fold_1", "2"), ("fold_2", "3"), ("fold_3", "4"), ("mean", "4")}
