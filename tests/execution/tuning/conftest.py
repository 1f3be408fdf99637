"""Tuning jobs of a script that runs as an image's ``train``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainyard import families
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.resources import Document
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
from trainyard.execution.work import WORK

KIND = "hyper-parameter-tuning-job"
HEAD = """import json, pathlib, sys, time
hp = json.load(open('/opt/ml/input/config/hyperparameters.json'))
def say(value): print(f'accuracy={value};', flush=True)
"""


@pytest.fixture(scope="session")
def training_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a ``train`` that runs ``main.py`` of the channel ``code``."""
    folder = tmp_path_factory.mktemp("training") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    train = folder / "bin" / "train"
    train.write_text("#!/bin/sh\nexec python3 /opt/ml/input/data/code/main.py\n")
    train.chmod(0o755)
    return folder


@pytest.fixture
def machine(store: Store, training_venv: Path, environments: Environments, namespaces: None) -> Machine:
    targets = Targets({"image": Target("venv", str(training_venv))}, {}, families.repository_root())
    return Machine(store=store, launcher=VenvLauncher(environments, {}), targets=targets)


@pytest.fixture
def job(put_script: Callable[[str, str], str]) -> Callable[..., dict[str, Any]]:
    """A CreateHyperParameterTuningJob request for a script that has ``hp`` and ``say(accuracy)``."""

    def make(
        script: str, *, name: str = "script", config: dict[str, Any] | None = None, **more: Any
    ) -> Document:
        code = put_script(name, HEAD + script)
        x = {"Name": "x", "MinValue": "0", "MaxValue": "1"}
        definition = {
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=(.*?);"}],
            },
            "StaticHyperParameters": more.pop("static", {}),
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "InputDataConfig": [
                {
                    "ChannelName": "code",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **more.pop("definition", {}),
        }
        settings = {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"ContinuousParameterRanges": [x]},
            "RandomSeed": 1,
            **(config or {}),
        }
        return {"HyperParameterTuningJobConfig": settings, "TrainingJobDefinition": definition, **more}

    return make


@pytest.fixture
def tune(machine: Machine) -> Callable[..., Document]:
    """Run a request as the API does; the answer is the tuning job's document at its end."""

    def run(
        request: Document, name: str = "tune", watch: Callable[[Any], None] = lambda event: None
    ) -> Document:
        prepared = WORK["HyperParameterTuning"].prepare(machine, name, request)
        with machine.store.recorder.begin(KIND, name, request) as recording:
            recording.finish(prepared(recording, watch))
        return machine.store.resources.get(KIND, name)

    return run
