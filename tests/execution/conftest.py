"""Definitions made of jobs that run one script each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def _processing(
    name: str,
    code: str,
    *,
    inputs: dict[str, str] | None = None,
    outputs: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    base = "/opt/ml/processing"
    channels = {"code": code, **(inputs or {})}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["python3", f"{base}/code/main.py"],
                "ContainerArguments": more.pop("arguments", []),
            },
            "Environment": more.pop("environment", {}),
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": more.pop("count", 1), "InstanceType": "ml.m5.large"}
            },
            "ProcessingInputs": [
                {"InputName": channel, "S3Input": {"S3Uri": uri, "LocalPath": f"{base}/{channel}"}}
                for channel, uri in channels.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": output, "S3Output": {"S3Uri": uri, "LocalPath": f"{base}/{output}"}}
                    for output, uri in (outputs or {}).items()
                ]
            },
            **more.pop("extra", {}),
        },
        **more,
    }


def _training(name: str, code: str, **more: Any) -> dict[str, Any]:
    channels = {"code": code, **more.pop("inputs", {})}
    sharded = more.pop("sharded", ())
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
            "MetricDefinitions": more.pop("metrics", []),
        },
        "HyperParameters": more.pop("hyperparameters", {}),
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": uri,
                        "S3DataDistributionType": "ShardedByS3Key" if channel in sharded else "FullyReplicated",
                    }
                },
            }
            for channel, uri in channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {
            "InstanceCount": more.pop("count", 1), "InstanceType": "ml.c5.xlarge", "VolumeSizeInGB": 30,
        },
        "StoppingCondition": more.pop("stopping", {"MaxRuntimeInSeconds": 3600}),
        **more.pop("extra", {}),
    }  # fmt: skip
    return {"Name": name, "Type": "Training", "Arguments": arguments, **more}


@pytest.fixture
def processing() -> Callable[..., dict[str, Any]]:
    """A Processing step that runs ``main.py`` of a code prefix."""
    return _processing


@pytest.fixture
def training() -> Callable[..., dict[str, Any]]:
    """A Training step that runs ``main.py`` of a code prefix."""
    return _training


@pytest.fixture
def definition() -> Callable[..., dict[str, Any]]:
    """A definition of the given steps."""

    def make(*steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        return {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": list(steps)}

    return make
