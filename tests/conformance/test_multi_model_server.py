"""The container contract with AWS's multi-model-server as the host of the handler, in an image of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainyard.families import load, repository_root
from trainyard.images.build import ensure_built
from trainyard.images.engine import Engine
from trainyard.images.names import local_image
from trainyard.preflight import contract
from trainyard.preflight.checks import Result
from trainyard.preflight.inspection import inspect

ROOT = repository_root()
FAMILY = load(ROOT / "tests" / "fixtures" / "families" / "tinymms")
CHECKS = [check.name for check in contract.contract(FAMILY)]


def definition() -> dict[str, Any]:
    """A pipeline of one training step."""
    data = {
        "S3DataType": "S3Prefix", "S3Uri": {"Get": "Parameters.InputDataUri"},
        "S3DataDistributionType": "FullyReplicated",
    }  # fmt: skip
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": local_image(FAMILY), "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:rows", "Regex": FAMILY.training.metrics[0].regex}],
        },
        "HyperParameters": {"scale": "1.0"},
        "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": data}}],
        "OutputDataConfig": {"S3OutputPath": "s3://trainyard-local/tinymms"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "RoleArn": "arn:aws:iam::000000000000:role/trainyard",
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }  # fmt: skip
    parameters = [{"Name": "InputDataUri", "Type": "String"}]
    steps = [{"Name": "Train", "Type": "Training", "Arguments": arguments}]
    return {"Version": "2020-12-01", "Parameters": parameters, "Steps": steps}


@pytest.fixture(scope="module")
def results(engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    image = ensure_built(FAMILY, ROOT, engine)
    home: Path = tmp_path_factory.mktemp("tinymms")
    done = list(inspect(engine, FAMILY, image))
    tried = contract.Tried(
        engine=engine, image=image, family=FAMILY, root=ROOT,
        definition=definition(),
    )  # fmt: skip
    with contract.full_bench(tried, home) as bench:
        done += contract.examine(bench, contract.contract(FAMILY), done)
    return {result.name: result for result in done}


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda text: text.replace(" ", "-"))
def test_the_image_keeps_the_contract(results: dict[str, Result], check: str) -> None:
    result = results[check]
    assert not result.failed and not result.skipped, (
        "\n".join(each.message for each in result.findings) or result.skipped
    )
