"""What all pipelines have in common, read from their compiled definitions in golden/."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from tests.pipelines.reading import every_step, references
from trainyard.errors import DefinitionError
from trainyard.families import Family, find_families, repository_root

ROOT = repository_root()
GOLDEN = ROOT / "tests" / "pipelines" / "golden"
OTHERWISE = {"detectron2": {"s3_path": "s3Path"}}
"""Parameters of hyperparameters that have a name, and a default, of their own."""
FAMILIES = [each for each in find_families(ROOT).values() if (GOLDEN / f"{each.name}.json").exists()]


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request) -> Family:
    return request.param


@pytest.fixture
def document(family) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{family.name}.json").read_text())


@pytest.fixture
def steps(document) -> dict[str, dict[str, Any]]:
    """All steps by name, those of the branches too."""
    return {step["Name"]: step for step in every_step(document["Steps"])}


def test_every_parameter_is_used_and_every_reference_is_declared(document, steps):
    declared = [parameter["Name"] for parameter in document["Parameters"]]
    used = {
        reference.removeprefix("Parameters.")
        for step in steps.values()
        for reference in references(step)
        if reference.startswith("Parameters.")
    }
    assert sorted(declared) == sorted(used)


def test_every_hyperparameter_of_the_manifest_can_be_set(document, steps, family):
    parameters = {parameter["Name"]: parameter for parameter in document["Parameters"]}
    passed = steps["Train"]["Arguments"]["HyperParameters"]
    types = {"integer": "Integer", "continuous": "Float", "categorical": "String", "text": "String"}

    assert list(passed) == [hyperparameter.name for hyperparameter in family.training.hyperparameters]
    for hyperparameter in family.training.hyperparameters:
        own = OTHERWISE.get(family.name, {}).get(hyperparameter.name)
        name = own or "".join(word.capitalize() for word in hyperparameter.name.split("_"))
        assert references(passed[hyperparameter.name]) == {f"Parameters.{name}"}
        assert parameters[name]["Type"] == types[hyperparameter.type]
        assert own or parameters[name]["DefaultValue"] == hyperparameter.default
        assert parameters[name].get("EnumValues", []) == list(hyperparameter.values)


def test_the_options_given_to_preprocess_are_options_of_the_script(steps, family):
    words = steps["Preprocess"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    options, values = words[::2], words[1::2]
    script = (family.folder / "preprocess.py").read_text()
    assert len(options) > 5
    assert [option for option in options if f'"{option}"' not in script] == []
    assert all(references(value) for value in values)


def test_training_is_interruptible_measured_as_the_manifest_says(steps, family):
    train = steps["Train"]["Arguments"]
    assert train["EnableManagedSpotTraining"] is family.training.spot is True
    assert train["StoppingCondition"] == {"MaxRuntimeInSeconds": 21600, "MaxWaitTimeInSeconds": 43200}
    assert train["CheckpointConfig"]["LocalPath"] == family.training.checkpoint
    archives = "GZIP" if family.name == "detectron2" else "NONE"
    assert train["OutputDataConfig"]["CompressionType"] == archives
    assert train["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": metric.name, "Regex": metric.regex} for metric in family.training.metrics
    ]


def test_what_a_job_reads_ends_with_a_slash_and_what_it_writes_is_its_executions(steps):
    """An S3 prefix is text: ``.../train`` would take in ``.../train-checkpoints/`` on the next run."""
    jobs = [step for step in steps.values() if step["Type"] in ("Processing", "Training")]
    uris = [
        each["S3Input"]["S3Uri"] for step in jobs for each in step["Arguments"].get("ProcessingInputs", ())
    ]
    uris += [
        each["DataSource"]["S3DataSource"]["S3Uri"]
        for step in jobs
        for each in step["Arguments"].get("InputDataConfig", ())
    ]
    of_preprocess = [uri for uri in uris if "Steps.Preprocess" in json.dumps(uri)]
    assert of_preprocess
    assert all(uri["Std:Join"]["Values"][-1] == "/" for uri in of_preprocess)
    for step in jobs:
        for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", ()):
            assert "Execution.PipelineExecutionId" in references(output)


@pytest.mark.slow
def test_spot_training_needs_time_to_wait_for_instances(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # without one, the SDK cannot be imported
    with warnings.catch_warnings(action="ignore"):
        from pipelines import _parts as parts

    assert parts.stopping(spot=False, max_run=60, max_wait=60).max_wait_time_in_seconds is None
    for max_wait in (59, 60):
        with pytest.raises(
            DefinitionError, match=f"max_run 60 s, max_wait {max_wait} s: .* more than max_run"
        ):
            parts.stopping(spot=True, max_run=60, max_wait=max_wait)
