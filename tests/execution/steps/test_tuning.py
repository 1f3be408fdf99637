from __future__ import annotations

import copy
import re
import subprocess
import sys

import pytest

from trainyard.definition.document import parse
from trainyard.definition.runnable import check_runnable
from trainyard.errors import DefinitionError, Unsupported
from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps import RULES
from trainyard.execution.steps.tuning import check, tuning_name
from trainyard.execution.targets import Target, Targets

TRAIN = """import json, os, pathlib
hp = json.load(open('/opt/ml/input/config/hyperparameters.json'))
pathlib.Path('/opt/ml/model/x').write_text(hp['x'])
print(f"loss={hp['x']};")
"""


@pytest.fixture(scope="module")
def targets(tmp_path_factory, root):
    """The image ``image`` has a ``train`` that runs ``main.py`` of the channel ``code``."""
    folder = tmp_path_factory.mktemp("training") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (folder / "bin" / "train").write_text("#!/bin/sh\nexec python3 /opt/ml/input/data/code/main.py\n")
    (folder / "bin" / "train").chmod(0o755)
    return Targets({"image": Target("venv", str(folder))}, {}, root)


@pytest.fixture
def start(store, environments, namespaces, targets, definition):
    def run(*steps, **more):
        return Executor(store, VenvLauncher(environments, {}), targets).start(
            definition(*steps), "p", {}, **more
        )

    return run


def tuning(training, code, name="Tune", **config):
    definition = training("T", code)["Arguments"]
    del definition["HyperParameters"], definition["AlgorithmSpecification"]["ContainerEntrypoint"]
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=(.*?);"}]
    settings = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["2", "1", "3"]}]},
        **config,
    }
    arguments = {"HyperParameterTuningJobConfig": settings, "TrainingJobDefinition": definition}
    return {"Name": name, "Type": "Tuning", "CacheConfig": {"Enabled": True}, "Arguments": arguments}


def test_the_best_model_can_be_referred_to_and_the_step_is_cached(
    start, training, processing, put_script, store
) -> None:
    look = put_script("look", "import os, sys, tarfile\n"
        "model = tarfile.open('/opt/ml/processing/model/model.tar.gz')\n"
        "sys.exit(model.extractfile('x').read() != b'1' or os.environ['JOB'] != os.environ['BEST'])")  # fmt: skip
    best = {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}
    model = {"Std:Join": {"On": "/", "Values": ["s3:/", "bucket", "out", best, "output/model.tar.gz"]}}
    after = processing(
        "Look", look, inputs={"model": model},
        environment={"JOB": best, "BEST": {"Get": "Steps.Tune.BestTrainingJob.TrainingJobName"}},
    )  # fmt: skip
    step = tuning(training, put_script("train", TRAIN))
    first = start(step, after)
    assert first.status == "Succeeded", first.reason
    row = next(each for each in store.state.steps(first.execution) if each["name"] == "Tune")
    name = row["result"]["HyperParameterTuningJobName"]
    assert row["metadata"] == {"TuningJob": {"Arn": row["result"]["HyperParameterTuningJobArn"]}}
    assert [each["TunedHyperParameters"]["x"] for each in row["result"]["TrainingJobSummaries"]] == [
        "1",
        "2",
        "3",
    ]
    recorded = store.resources.get("hyper-parameter-tuning-job", name)
    assert recorded["HyperParameterTuningJobStatus"] == "Completed" and "TrainingJobSummaries" not in recorded

    again = start(step, after)
    row = next(each for each in store.state.steps(again.execution) if each["name"] == "Tune")
    assert (again.status, row["cache_source"]) == ("Succeeded", first.execution)
    assert len(store.resources.all("training-job")) == 3

    store.objects.path(parse_uri(model_of(store, row))).unlink()
    lost = start(step, after)
    row = next(each for each in store.state.steps(lost.execution) if each["name"] == "Tune")
    assert row["cache_source"] is None and "is gone" in row["cache_note"]


def model_of(store, row):
    return f"s3://bucket/out/{row['result']['BestTrainingJob']['TrainingJobName']}/output/model.tar.gz"


def test_a_change_of_code_or_ranges_is_a_miss_that_is_explained(start, training, put_script, store) -> None:
    code = put_script("train", TRAIN)
    start(tuning(training, code))
    put_script("train", f"{TRAIN}#")
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}]}
    notes = []
    for step in (tuning(training, code), tuning(training, code, ParameterRanges=ranges)):
        row = store.state.steps(start(step).execution)[0]
        notes.append(row["cache_note"])
    assert "input code:" in notes[0] and "ranges:" in notes[1]


def test_awss_key_is_the_request_and_not_what_is_stored(start, training, put_script, store) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}]}
    step = tuning(training, put_script("train", TRAIN), ParameterRanges=ranges)
    first = start(step, cache="aws")
    put_script("train", f"{TRAIN}#")
    (row,) = store.state.steps(start(step, cache="aws").execution)
    assert row["cache_source"] == first.execution, row["cache_note"]
    step["Arguments"]["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"] = 1
    (row,) = store.state.steps(start(step, cache="aws").execution)
    where = "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs"
    assert row["cache_note"] == f"{where}: '2' -> '1'"


def test_a_tuning_without_success_fails_the_step(start, training, put_script) -> None:
    finished = start(tuning(training, put_script("train", "raise SystemExit('broken')")))
    assert finished.status == "Failed" and "broken" in finished.reason


@pytest.fixture
def session(monkeypatch):
    """A session of the SDK that compiles and calls nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("SAGEMAKER_VALIDATE_ROLE", "false")
    import boto3
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    made = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"), default_bucket="bucket")
    made.default_bucket = lambda: "bucket"
    return made


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_the_sdk_has_made(start, put_script, store, session) -> None:
    from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
    from sagemaker.core.training.configs import Compute, InputData
    from sagemaker.mlops.workflow.steps import TuningStep
    from sagemaker.train import ModelTrainer
    from sagemaker.train.tuner import HyperparameterTuner

    trainer = ModelTrainer(
        sagemaker_session=session, role="arn:aws:iam::000000000000:role/r", training_image="image",
        compute=Compute(instance_type="ml.m5.large", instance_count=1), hyperparameters={"epochs": 3},
    )  # fmt: skip
    tuner = HyperparameterTuner(
        trainer, "loss", {"x": ContinuousParameter(0.1, 0.9), "n": IntegerParameter(1, 5)},
        metric_definitions=[{"Name": "loss", "Regex": "loss=(.*?);"}], objective_type="Minimize",
        max_jobs=4, max_parallel_jobs=2,
    )  # fmt: skip
    code = InputData(channel_name="code", data_source=put_script("train", TRAIN))
    step = TuningStep(name="Tune", step_args=tuner.tune(inputs=[code]))
    finished = start(step.to_request())
    assert finished.status == "Succeeded", finished.reason
    trials = store.resources.all("training-job")
    assert len(trials) == 4
    for trial in trials:
        tuned = trial["TunedHyperParameters"]
        assert 0.1 <= float(tuned["x"]) <= 0.9 and tuned["n"] in ("1", "2", "3", "4", "5")
        assert trial["HyperParameters"] == {"epochs": "3", "_tuning_objective_metric": "loss", **tuned}
    first = min(trials, key=lambda trial: float(trial["TunedHyperParameters"]["x"]))["TrainingJobName"]
    top = step.get_top_model_s3_uri(0, "bucket").expr["Std:Join"]["Values"]
    assert top[2] == {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}
    row = store.state.steps(finished.execution)[0]
    assert row["result"]["TrainingJobSummaries"][0]["TrainingJobName"] == first


def test_names_are_as_the_api_takes_them() -> None:
    for step in ("Tune", "a_long_name_of_a_step-", "-"):
        name = tuning_name("abcdef012345", step)
        assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", name), name
        assert name.startswith("abcdef012345-")


def test_what_cannot_run_here_is_refused_before_anything_runs(definition, training, store, targets) -> None:
    step = tuning(training, "s3://b/code/")
    check_runnable(parse(definition(step)), RULES)
    auto, entry = copy.deepcopy(step), copy.deepcopy(step)
    auto["Arguments"]["Autotune"] = {"Mode": "Enabled"}
    entry["Arguments"]["TrainingJobDefinition"]["AlgorithmSpecification"]["ContainerEntrypoint"] = ["x"]
    for wrong, field in ((auto, "Autotune"), (entry, "ContainerEntrypoint")):
        with pytest.raises(Unsupported, match=field):
            check_runnable(parse(definition(wrong)), RULES)
    machine = Machine(store=store, launcher=None, targets=targets)
    bad = copy.deepcopy(step["Arguments"])
    bad["TrainingJobDefinition"]["OutputDataConfig"] = {}
    with pytest.raises(DefinitionError, match=r"OutputDataConfig\.S3OutputPath"):
        check(machine, "Tune", bad)
    with pytest.raises(DefinitionError, match="possible: Bayesian"):
        check(machine, "Tune", tuning(training, "s3://b/c/", Strategy="x")["Arguments"])
    assert store.resources.all("training-job") == []
