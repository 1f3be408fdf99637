from __future__ import annotations

import tarfile

import pytest

from tests.preflight.conftest import rules
from trainyard.errors import CheckFailed, DataError
from trainyard.execution.s3 import parse_uri
from trainyard.preflight.example import prepare, trains


def test_the_steps_before_training_run_once_or_again(toy_bench):
    bench = toy_bench()
    script = "import pathlib; pathlib.Path('/opt/ml/processing/out/a.txt').write_text('one two')"
    output = {
        "OutputName": "out",
        "S3Output": {
            "S3Uri": "s3://trainyard-local/toy/made/",
            "LocalPath": "/opt/ml/processing/out",
            "S3UploadMode": "EndOfJob",
        },
    }
    machine = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    before = {
        "Name": "Make", "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "trainyard/toy:local", "ContainerEntrypoint": ["python3", "-c", script]},
            "ProcessingResources": {"ClusterConfig": machine},
            "ProcessingOutputConfig": {"Outputs": [output]}, "RoleArn": "arn:aws:iam::000000000000:role/none",
        },
    }  # fmt: skip
    [train] = bench.definition["Steps"]
    source = train["Arguments"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    source["S3Uri"] = {"Get": "Steps.Make.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}
    later = {"Name": "Later", "Type": "Fail", "Arguments": {"ErrorMessage": "never"}, "DependsOn": ["Train"]}
    bench.definition = {**bench.definition, "Steps": [later, train, before]}
    prepare(bench)
    prepare(bench, again=False)
    made = [row for execution in bench.store.executions() for row in bench.store.state.steps(execution["id"])]
    assert [row["name"] for row in made] == ["Make"], "once, and nothing that comes later"
    assert rules(trains, bench) == set()
    assert bench.request.channels[0].uri == "s3://trainyard-local/toy/made/"
    with tarfile.open(bench.model_data) as archive:
        assert archive.extractfile("model.json").read() == b'{"words": 2}'


def test_a_training_that_fails_says_why(toy_bench):
    bench = toy_bench()
    bench.definition["Steps"][0]["Arguments"]["HyperParameters"] = {"steps": "0"}
    assert rules(trains, bench) == {"training"}
    with pytest.raises(CheckFailed, match="no model"):
        _ = bench.model_data


def test_a_pipeline_that_trains_nothing(toy_bench):
    bench = toy_bench()
    bench.definition = {
        **bench.definition,
        "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
    }
    with pytest.raises(CheckFailed, match="has no Training step"):
        prepare(bench)


def test_the_image_generates_the_example(toy_bench):
    bench = toy_bench()
    bench.parameters = {}
    prepare(bench)
    [uri] = bench.parameters.values()
    assert [each.relative for each in bench.store.objects.list(parse_uri(uri))] == ["a.txt"]
    (bench.family.folder / "generate.py").write_text("import numpy_that_the_image_lacks")
    bench.parameters = {}
    with pytest.raises(DataError, match="generator of toy failed: AlgorithmError: ModuleNotFoundError"):
        prepare(bench)
