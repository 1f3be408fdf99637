"""The compiled Detectron2 pipeline as it lies in golden/detectron2.json, and what it does where Detectron2 is."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest

from pipelines import compile as compiler
from tests.conftest import require_sources, wait_until
from tests.pipelines.reading import every_step, references
from trainyard.cli.main import main
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.request import REGION, client_environment
from trainyard.execution.store import Store, default_home
from trainyard.execution.targets import Target, Targets
from trainyard.families import Family, find_family, repository_root
from trainyard.local_aws import endpoint

ROOT = repository_root()
GOLDEN = ROOT / "tests" / "pipelines" / "golden" / "detectron2.json"
ACCURACY = {
    "Std:JsonGet": {
        "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"},
        "Path": "training_accuracy",
    }
}


@pytest.fixture(scope="module")
def family() -> Family:
    return find_family(ROOT, "detectron2")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def steps(document) -> dict[str, dict[str, Any]]:
    """All steps by name, those of the branches too."""
    return {step["Name"]: step for step in every_step(document["Steps"])}


@pytest.fixture(scope="module")
def parameters(document) -> dict[str, Any]:
    return {each["Name"]: each.get("DefaultValue") for each in document["Parameters"]}


def test_steps_follow_their_data(document, steps):
    needed = {
        name: {reference.split(".")[1] for reference in references(step) if reference.startswith("Steps.")}
        for name, step in steps.items()
    }
    condition = steps["CheckAccuracy"]["Arguments"]
    assert [step["Name"] for step in document["Steps"]] == [
        "Preprocess",
        "Train",
        "Evaluate",
        "CheckAccuracy",
    ]
    assert [step["Name"] for step in condition["IfSteps"]] == ["RegisterModel", "DeployEndpoint"]
    assert [step["Name"] for step in condition["ElseSteps"]] == ["AccuracyTooLow"]
    assert not any("DependsOn" in step for step in steps.values())
    assert needed == {
        "Preprocess": set(),
        "Train": {"Preprocess"},
        "Evaluate": {"Preprocess", "Train"},
        "CheckAccuracy": {"Evaluate"},
        "RegisterModel": {"Train", "Evaluate"},
        "DeployEndpoint": {"RegisterModel"},
        "AccuracyTooLow": {"Evaluate"},
    }


def test_the_parameters_of_the_post_are_there(parameters, steps, family):
    posts = {
        "TrainingInstanceType",
        "TrainingInstanceCount",
        "NumEpochs",
        "LearningRate",
        "MaxIter",
        "s3Path",
    }
    assert (posts | {"EndpointInstanceType"}) <= parameters.keys()
    assert parameters["TrainingInstanceType"] == family.training.instance
    assert parameters["EndpointInstanceType"] == family.serving.instance
    resources = steps["Train"]["Arguments"]["ResourceConfig"]
    assert resources["InstanceType"] == {"Get": "Parameters.TrainingInstanceType"}
    assert resources["InstanceCount"] == {"Get": "Parameters.TrainingInstanceCount"}


def test_checkpoints_lie_below_s3path_for_each_data_set(steps, parameters):
    job = {"Get": "Steps.Preprocess.ProcessingJobName"}
    below = {"Std:Join": {"On": "/", "Values": [{"Get": "Parameters.s3Path"}, job]}}
    train = steps["Train"]["Arguments"]
    assert train["CheckpointConfig"]["S3Uri"] == below
    assert references(train["HyperParameters"]["s3_path"]) == {"Parameters.s3Path"}
    assert parameters["s3Path"] == "s3://trainyard-local/detectron2/checkpoints"


def test_jobs_are_cached_and_tried_again_and_the_deployment_is_neither(steps):
    for name in ("Preprocess", "Train", "Evaluate"):
        assert steps[name]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
        assert len(steps[name]["RetryPolicies"]) == 2
    assert not {"CacheConfig", "RetryPolicies"} & steps["DeployEndpoint"].keys()


def test_the_gate_reads_the_evaluation_and_says_why_it_refuses(steps):
    (condition,) = steps["CheckAccuracy"]["Arguments"]["Conditions"]
    least = {"Get": "Parameters.MinTrainingAccuracy"}
    assert condition == {"Type": "GreaterThanOrEqualTo", "LeftValue": ACCURACY, "RightValue": least}
    words = steps["AccuracyTooLow"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert words == ["The training accuracy is ", ACCURACY, "; MinTrainingAccuracy is ", least]


def test_the_package_is_approved_and_says_what_it_takes(steps, parameters, family):
    package = steps["RegisterModel"]["Arguments"]
    specification = package["InferenceSpecification"]
    assert parameters["ModelApprovalStatus"] == "Approved"
    assert package["ModelApprovalStatus"] == {"Get": "Parameters.ModelApprovalStatus"}
    assert specification["SupportedContentTypes"] == list(family.serving.content_types)
    instances = [{"Get": "Parameters.EndpointInstanceType"}]
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == instances
    (container,) = specification["Containers"]
    assert container["ModelDataUrl"] == {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    quality = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]["Std:Join"]["Values"]
    assert quality[1] == "/model_quality.json"


def test_the_function_gets_what_it_needs(steps):
    step = steps["DeployEndpoint"]
    assert step["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:deploy_endpoint"
    assert step["Arguments"] == {
        "endpoint_name": {"Get": "Parameters.EndpointName"},
        "model_package_arn": {"Get": "Steps.RegisterModel.ModelPackageArn"},
        "instance_type": {"Get": "Parameters.EndpointInstanceType"},
        "instance_count": {"Get": "Parameters.EndpointInstanceCount"},
        "traffic": {"Get": "Parameters.EndpointTraffic"},
        "role": "arn:aws:iam::000000000000:role/trainyard",
        "wait": 90,
    }
    assert [each["OutputName"] for each in step["OutputParameters"]] == [
        "EndpointName", "EndpointArn", "EndpointConfigName", "Status", "Changed"
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run the command line in a store of its own."""
    real = default_home()
    for name in ("venvs", "compiled"):
        (real / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(real / name)
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path))

    def call(*words: str) -> tuple[int, Any, str]:
        code = main(list(words))
        captured = capfd.readouterr()
        return (
            code,
            json.loads(captured.out) if captured.out.startswith(("{", "[")) else captured.out,
            captured.err,
        )

    return call


def test_training_can_be_interrupted_and_nothing_else(run, tmp_path):
    (tmp_path / "pipeline.json").write_text(GOLDEN.read_text())
    words = (
        "run",
        "--definition",
        str(tmp_path / "pipeline.json"),
        "--set",
        "InputDataUri=s3://b/i/",
        "--dry-run",
    )
    code, plan, said = run(*words, "--interrupt", "Train@60", "--json")
    assert code == 0, said
    assert [each["step"] for each in plan if each["job"]] == ["Preprocess", "Train", "Evaluate"]
    code, _, said = run(*words, "--interrupt", "Evaluate@60")
    assert code != 0 and "there are: Train" in said


@pytest.mark.slow
def test_it_starts_with_the_sdk_as_in_the_post(
    family, store, plain_venv, environments, monkeypatch, namespaces
):
    """Its first step fails at once: what stands for the image has nothing of the family."""
    image = json.loads(GOLDEN.read_text())["Parameters"][0]["DefaultValue"]
    targets = Targets({image: Target("venv", str(plain_venv))}, {}, ROOT)

    def machine(url: str) -> Machine:
        return Machine(
            store=store, launcher=VenvLauncher(environments, {}), targets=targets, endpoint_url=url
        )

    given = {
        "TrainingInstanceType": "ml.p3.2xlarge",
        "NumEpochs": 2,
        "LearningRate": 0.01,
        "s3Path": "s3://b/c",
    }
    with endpoint.private(store, machine) as url, warnings.catch_warnings(action="ignore"):
        for name, value in (client_environment(url) | compiler.ENVIRONMENT).items():
            monkeypatch.setenv(name, value)
        import boto3
        from sagemaker.core.workflow.pipeline_context import PipelineSession

        from pipelines import detectron2

        role = "arn:aws:iam::000000000000:role/any"
        roles = {"ProcessingJob": "RoleArn", "TrainingJob": "RoleArn", "Model": "ExecutionRoleArn"}
        config = {"SchemaVersion": "1.0", "SageMaker": {kind: {name: role} for kind, name in roles.items()}}
        session = PipelineSession(
            boto3.Session(region_name=REGION), default_bucket="trainyard-local", sagemaker_config=config
        )
        pipeline = detectron2.build(family, session)
        pipeline.upsert(role_arn=role)
        execution = pipeline.start(parameters=dict(InputDataUri="s3://trainyard-local/none/", **given))
        wait_until(lambda: execution.describe()["PipelineExecutionStatus"] == "Failed")
        shown = {each["Name"]: each["Value"] for each in execution.list_parameters()["PipelineParameters"]}
        assert (
            given.items() <= {name: type(given.get(name, ""))(value) for name, value in shown.items()}.items()
        )
        (failed,) = execution.list_steps()
        assert (failed["StepName"], failed["StepStatus"]) == ("Preprocess", "Failed")


@pytest.mark.slow
def test_it_trains_through_an_interruption_registers_deploys_and_refuses(
    run, environments, family, namespaces
):
    require_sources(family, environments)
    code, ended, said = run("run", "detectron2", "--interrupt", "Train@15", "--json")
    assert code == 0, said
    store = Store()
    assert ended["ManagedSpot"]["Train"]["Interruptions"] == 1
    (package,) = ended["ModelPackages"]
    assert (package["ModelApprovalStatus"], ended["Endpoints"]) == (
        "Approved", [{"EndpointName": "detectron2", "EndpointStatus": "InService"}]
    )  # fmt: skip
    assert {"training_ap", "testing_ap"} <= ended["FinalMetrics"]["Train"].keys()
    assert {"AP", "AP50"} <= package["Metrics"].keys()
    picture = next(path for path in (store.home / "s3").rglob("*.jpg") if "example" in path.parts)
    code, answer, said = run("invoke", "detectron2", str(picture), "--accept", "application/json")
    (prediction,) = answer["predictions"]
    assert (code, len(prediction["detections"]) > 0) == (0, True), said

    code, ended, said = run("run", "detectron2", "--set", "MinTrainingAccuracy=0.99", "--json")
    assert code != 0
    assert re.search(
        r"AccuracyTooLow: The training accuracy is 0\.\d+; MinTrainingAccuracy is 0\.99",
        ended["FailureReason"],
    )
    assert len(store.registry.versions("detectron2")) == 1

    code, ended, said = run("run", "detectron2", "--set", "LearningRate=0.0123", "--json")
    assert code != 0
    for part in ("s3://trainyard-local/detectron2/checkpoints", "learning_rate", "0.0123", "another s3_path"):
        assert part in ended["FailureReason"]
