from __future__ import annotations

import pytest

from trainyard.errors import DefinitionError, NotFound

SCRIPT = "say(-abs(float(hp['x']) - 0.3))"
KIND = "hyper-parameter-tuning-job"


def warm(kind, *parents):
    names = [{"HyperParameterTuningJobName": name} for name in parents or ("parent",)]
    return {"WarmStartConfig": {"WarmStartType": kind, "ParentHyperParameterTuningJobs": names}}


def test_the_overall_best_may_be_a_parents(job, tune) -> None:
    parent = tune(job(SCRIPT), "parent")
    far = {"ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.9", "MaxValue": "1"}]},
           "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1}}  # fmt: skip
    child = tune(job(SCRIPT, config=far, **warm("IdenticalDataAndAlgorithm")), "child")
    assert child["BestTrainingJob"]["TuningJobName"] == "child"
    assert child["OverallBestTrainingJob"] == parent["BestTrainingJob"]


def test_what_parents_found_is_learnt(job, tune) -> None:
    many = {"ResourceLimits": {"MaxNumberOfTrainingJobs": 12, "MaxParallelTrainingJobs": 4}}
    tune(job(SCRIPT, config=many), "parent")
    notes = []
    one = {
        "Strategy": "Bayesian",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1},
    }
    child = tune(job(SCRIPT, config=one, **warm("IdenticalDataAndAlgorithm")), "child", notes.append)
    assert "warm start: 12 of 12" in str(notes)
    assert abs(float(child["BestTrainingJob"]["TunedHyperParameters"]["x"]) - 0.3) < 0.25


def test_transfer_tries_the_parents_best_points_first(job, tune, store) -> None:
    parent = tune(job(SCRIPT), "parent")
    child = tune(job(SCRIPT, **warm("TransferLearning")), "child")
    first = next(each for each in store.resources.all("training-job") if each["TuningJobName"] == "child")
    assert first["TunedHyperParameters"] == parent["BestTrainingJob"]["TunedHyperParameters"]
    assert "OverallBestTrainingJob" not in child


def test_parents_that_cannot_be(job, tune, store) -> None:
    with pytest.raises(NotFound, match="parent"):
        tune(job(SCRIPT, **warm("TransferLearning")))
    request = job(SCRIPT)
    store.resources.add(KIND, "parent", {**request, "HyperParameterTuningJobStatus": "InProgress"})
    with pytest.raises(DefinitionError, match="'parent' is InProgress; wait"):
        tune(job(SCRIPT, **warm("TransferLearning")))
    store.resources.update(KIND, "parent", HyperParameterTuningJobStatus="Completed")
    with pytest.raises(DefinitionError, match="1 static and tuned hyperparameters, this job 2"):
        tune(job(SCRIPT, static={"more": "1"}, **warm("TransferLearning")))
    smaller = {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "accuracy"}}
    with pytest.raises(DefinitionError, match="another objective"):
        tune(job(SCRIPT, config=smaller, **warm("TransferLearning")))
    other = {**request["TrainingJobDefinition"]["AlgorithmSpecification"], "TrainingImage": "other"}
    changed = job(SCRIPT, definition={"AlgorithmSpecification": other}, **warm("IdenticalDataAndAlgorithm"))
    with pytest.raises(DefinitionError, match="another training image"):
        tune(changed)
