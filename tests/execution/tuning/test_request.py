from __future__ import annotations

import copy

import pytest

from trainyard.errors import DefinitionError
from trainyard.execution.tuning.completion import Criteria
from trainyard.execution.tuning.request import read_request

LINE = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
KINDS = {
    "CategoricalParameterRanges": [
        {"Name": "a", "Values": ["1", "2"]},
        {"Name": "b", "Values": ["1", "2", "3"]},
    ]
}
DEFINITION = {
    "AlgorithmSpecification": {
        "TrainingImage": "i",
        "MetricDefinitions": [{"Name": "loss", "Regex": "(.*)"}],
    },
    "StaticHyperParameters": {"n_epochs": "27", "flag": True},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
}
CONFIG = {
    "Strategy": "Bayesian",
    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
    "ParameterRanges": LINE,
}


def read(definition=None, **config):
    arguments = {"HyperParameterTuningJobConfig": {**CONFIG, **config}}
    return read_request("S", {**arguments, "TrainingJobDefinition": {**DEFINITION, **(definition or {})}})


def test_a_request() -> None:
    criteria = {
        "TargetObjectiveMetricValue": 1,
        "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3},
        "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
    }
    request = read(TuningJobCompletionCriteria=criteria, RandomSeed=3, TrainingJobEarlyStoppingType="Auto")
    assert (request.maximize, request.most, request.parallel, request.seed) == (False, 4, 2, 3)
    assert request.criteria == Criteria(target=1.0, not_improving=3, on_convergence=True)
    assert request.early_stopping and request.max_runtime is None
    (definition,) = request.definitions
    assert definition.training({"x": "0.5"}) == {
        "AlgorithmSpecification": DEFINITION["AlgorithmSpecification"],
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "HyperParameters": {"n_epochs": "27", "flag": "True", "_tuning_objective_metric": "loss", "x": "0.5"},
    }


def test_limits_by_strategy() -> None:
    assert read(Strategy="Hyperband").resource == (1, 27)  # from the static n_epochs
    given = {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 9}}
    assert read(Strategy="Hyperband", StrategyConfig=given).resource == (2, 9)
    grid = read(Strategy="Grid", ParameterRanges=KINDS, ResourceLimits={"MaxParallelTrainingJobs": 1})
    assert grid.most == 6
    endless = read(ResourceLimits={"MaxParallelTrainingJobs": 1, "MaxRuntimeInSeconds": 200})
    assert (endless.most, endless.max_runtime) == (None, 200.0)


def test_a_resource_config_of_its_own_becomes_the_training_jobs() -> None:
    own = {"VolumeSizeInGB": 5, "InstanceConfigs": [{"InstanceType": "ml.m5.large", "InstanceCount": 1}]}
    (definition,) = read({"HyperParameterTuningResourceConfig": own}).definitions
    assert definition.arguments["ResourceConfig"] == {
        "VolumeSizeInGB": 5, "InstanceType": "ml.m5.large", "InstanceCount": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "config", "message"),
    [
        ({}, {"Strategy": "Best"}, "possible: Bayesian, Random, Hyperband, Grid"),
        ({}, {"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off"),
        ({"StaticHyperParameters": {}}, {"Strategy": "Hyperband"}, "MaxResource is missing"),
        ({"StaticHyperParameters": {"epochs": "20001"}}, {"Strategy": "Hyperband"}, "<= 20000 is possible"),
        ({}, {"Strategy": "Grid"}, "only CategoricalParameterRanges"),
        ({}, {"Strategy": "Grid", "ParameterRanges": KINDS}, "is 4, but the grid has 6 points"),
        ({}, {"ResourceLimits": {"MaxParallelTrainingJobs": 1}}, "MaxNumberOfTrainingJobs or MaxRuntimeInSeconds"),
        ({}, {"ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 0}}, "a whole number"),
        ({"StaticHyperParameters": {"x": "1"}}, {}, "'x' is static and has a range"),
        ({"AlgorithmSpecification": {}}, {}, "a metric is required for the objective 'loss'"),
        ({}, {"HyperParameterTuningJobObjective": None}, "TuningObjective is missing"),
        ({}, {"HyperParameterTuningJobObjective": {"Type": "Up", "MetricName": "loss"}}, "possible: Maximize"),
        ({}, {"ResourceLimits": []}, "do not have the shape of a CreateHyperParameterTuningJob request"),
    ],
)  # fmt: skip
def test_requests_that_cannot_be(definition, config, message) -> None:
    with pytest.raises(DefinitionError, match=message) as error:
        read(definition, **config)
    assert str(error.value).startswith("step 'S'")


def test_several_definitions_have_names_and_one_direction() -> None:
    def both(*names, kinds=("Minimize", "Minimize")):
        definitions = [
            {**copy.deepcopy(DEFINITION), "DefinitionName": name, "HyperParameterRanges": LINE,
             "TuningObjective": {"Type": kind, "MetricName": "loss"}}
            for name, kind in zip(names, kinds, strict=True)
        ]  # fmt: skip
        config = {name: CONFIG[name] for name in ("Strategy", "ResourceLimits")}
        return read_request(
            "S", {"HyperParameterTuningJobConfig": config, "TrainingJobDefinitions": definitions}
        )

    assert [each.name for each in both("a", "b").definitions] == ["a", "b"]
    with pytest.raises(DefinitionError, match="DefinitionName of its own"):
        both("a", "a")
    with pytest.raises(DefinitionError, match="use one Type"):
        both("a", "b", kinds=("Minimize", "Maximize"))
    with pytest.raises(DefinitionError, match="either TrainingJobDefinition or TrainingJobDefinitions"):
        read_request("S", {"HyperParameterTuningJobConfig": CONFIG})
