from __future__ import annotations

import re
import threading
import time

import pytest

from tests.conftest import wait_until
from trainyard.execution import events
from trainyard.execution.s3 import parse_uri
from trainyard.execution.tuning.trial import objective

KIND = "hyper-parameter-tuning-job"
X = [{"Name": "x", "Values": ["1", "2", "3"]}]
GRID = {
    "Strategy": "Grid",
    "ParameterRanges": {"CategoricalParameterRanges": X},
    "ResourceLimits": {"MaxParallelTrainingJobs": 3},
}


def trials(store):
    return store.resources.all("training-job")


def limits(most, parallel=1, **more):
    return {"MaxNumberOfTrainingJobs": most, "MaxParallelTrainingJobs": parallel, **more}


def test_trials_are_training_jobs_and_the_best_is_named(job, tune, store) -> None:
    script = (
        "say(float(hp['x'])); say(float(hp['x']) / 2); pathlib.Path('/opt/ml/model/x').write_text(hp['x'])"
    )
    notes = []
    end = tune(job(script, static={"epochs": "3"}), watch=notes.append)
    found = trials(store)
    assert (end["HyperParameterTuningJobStatus"], len(found)) == ("Completed", 4)
    counters = {"Completed": 4, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    assert end["TrainingJobStatusCounters"] == counters
    assert end["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    for number, trial in enumerate(found, 1):
        assert re.fullmatch(f"tune-{number:03d}-[0-9a-f]{{8}}", trial["TrainingJobName"])
        x = trial["TunedHyperParameters"]["x"]
        assert trial["HyperParameters"] == {"epochs": "3", "_tuning_objective_metric": "accuracy", "x": x}
        assert objective(trial) == pytest.approx(float(x) / 2)  # the last value
        assert trial["TuningJobArn"] == end["HyperParameterTuningJobArn"]
        uri = f"s3://bucket/out/{trial['TrainingJobName']}/output/model.tar.gz"
        assert trial["ModelArtifacts"]["S3ModelArtifacts"] == uri
        assert store.objects.list(parse_uri(uri))
    best = max(found, key=objective)
    assert end["BestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]
    assert end["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "Type": "Maximize", "MetricName": "accuracy", "Value": objective(best),
    }  # fmt: skip
    assert "OverallBestTrainingJob" not in end and end["HyperParameterTuningEndTime"] >= end["CreationTime"]
    hosts = {event.host for event in notes if isinstance(event, events.MetricSeen)}
    assert hosts == {f"{number:03d}/algo-1" for number in range(1, 5)}


def test_trials_run_side_by_side_and_the_document_is_live(job, tune, store) -> None:
    ended = []
    request = job("say(1); time.sleep(1.5)", config=GRID)
    thread = threading.Thread(target=lambda: ended.append(tune(request)))
    thread.start()

    def counted():
        return store.resources.get(KIND, "tune").get("TrainingJobStatusCounters", {}).get("InProgress") == 3

    wait_until(counted)
    live = store.resources.get(KIND, "tune")
    assert live["HyperParameterTuningJobStatus"] == "InProgress"
    assert live["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 3, "Failed": 0}
    thread.join()
    began = [trial["TrainingStartTime"] for trial in trials(store)]
    assert max(began) < min(trial["TrainingEndTime"] for trial in trials(store))
    assert [trial["TunedHyperParameters"] for trial in trials(store)] == [{"x": "1"}, {"x": "2"}, {"x": "3"}]
    assert ended[0]["TrainingJobStatusCounters"]["Completed"] == 3


def test_stop_stops_the_running_trials(job, tune, store) -> None:
    ended = []
    request = job("say(float(hp['x'])); time.sleep(60)")
    thread = threading.Thread(target=lambda: ended.append(tune(request)))
    thread.start()
    wait_until(lambda: len(trials(store)) == 2)
    store.recorder.stop(KIND, "tune")
    assert store.resources.get(KIND, "tune")["HyperParameterTuningJobStatus"] == "Stopping"
    thread.join(20)
    assert ended[0]["HyperParameterTuningJobStatus"] == "Stopped"
    assert [trial["TrainingJobStatus"] for trial in trials(store)] == ["Stopped", "Stopped"]
    assert ended[0]["TrainingJobStatusCounters"]["Stopped"] == 2


def test_failed_trials_do_not_count_and_do_not_end_it(job, tune) -> None:
    script = "say(float(hp['x'])); sys.exit(1 if hp['x'] == '3' else 0)"
    end = tune(job(script, config=GRID))
    assert end["HyperParameterTuningJobStatus"] == "Completed"
    assert end["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert end["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 1}
    assert end["BestTrainingJob"]["TunedHyperParameters"] == {"x": "2"}


def test_without_a_success_it_fails_after_five(job, tune, store) -> None:
    end = tune(job("sys.exit('no data')", config={"ResourceLimits": limits(9)}))
    assert (end["HyperParameterTuningJobStatus"], len(trials(store))) == ("Failed", 5)
    assert end["TrainingJobStatusCounters"]["NonRetryableError"] == 5
    assert (
        "No training job succeeded after 5 attempts" in end["FailureReason"]
        and "no data" in end["FailureReason"]
    )
    assert "BestTrainingJob" not in end


def test_without_the_metric_it_fails_and_says_so(job, tune) -> None:
    end = tune(job("print('accuracy: 1')", config={"ResourceLimits": limits(2, 2)}))
    assert end["HyperParameterTuningJobStatus"] == "Failed"
    assert end["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")
    assert end["TrainingJobStatusCounters"]["Completed"] == 2


def test_early_stopping_by_the_median(job, tune, store) -> None:
    script = "for epoch in range(3):\n    say(10 - int(hp['x']))\n    time.sleep(0.2)\n"
    script += "time.sleep(60 * (hp['x'] == '4'))"
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2", "3", "4"]}]}
    config = {**GRID, "ParameterRanges": ranges, "TrainingJobEarlyStoppingType": "Auto"}
    end = tune(job(script, config={**config, "ResourceLimits": {"MaxParallelTrainingJobs": 1}}))
    last = trials(store)[-1]
    assert (last["TrainingJobStatus"], last["ObjectiveStatus"], objective(last)) == (
        "Stopped",
        "Succeeded",
        6,
    )
    assert end["TrainingJobStatusCounters"]["Completed"] == 3
    assert end["HyperParameterTuningJobStatus"] == "Completed"


def test_hyperband_stops_what_goes_past_the_most(job, tune, store) -> None:
    strategy = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 3}}
    config = {"Strategy": "Hyperband", "StrategyConfig": strategy, "ResourceLimits": limits(6, 2)}
    end = tune(job("for epoch in range(600):\n    say(float(hp['x']))\n    time.sleep(0.1)", config=config))
    assert end["TrainingJobStatusCounters"]["Stopped"] == 6
    assert end["ObjectiveStatusCounters"]["Succeeded"] == 6
    assert end["BestTrainingJob"]["TrainingJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("criteria", "ran"),
    [
        ({"TargetObjectiveMetricValue": 0.5}, 1),
        ({"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}, 4),
    ],
)
def test_completion_criteria(job, tune, store, criteria, ran) -> None:
    config = {"TuningJobCompletionCriteria": criteria, "ResourceLimits": limits(9)}
    end = tune(job("say(0.5)", config=config))
    assert (end["HyperParameterTuningJobStatus"], len(trials(store))) == ("Completed", ran)
    assert end["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == ran - 1


def test_max_runtime_ends_it(job, tune, store) -> None:
    began = time.monotonic()
    script = "say(1); time.sleep(0 if float(hp['x']) < 0.5 else 60)"
    end = tune(job(script, config={"ResourceLimits": limits(500, 2, MaxRuntimeInSeconds=3)}))
    assert time.monotonic() - began < 15
    assert end["HyperParameterTuningJobStatus"] == "Completed"
    assert 0 < end["TrainingJobStatusCounters"]["Stopped"] <= 2


def test_several_definitions_take_turns(job, tune, store) -> None:
    request = job("say(float(hp['x']) + float(hp['plus']))")
    definition = request.pop("TrainingJobDefinition")
    settings = request["HyperParameterTuningJobConfig"]
    shared = {"TuningObjective": settings.pop("HyperParameterTuningJobObjective"),
              "HyperParameterRanges": settings.pop("ParameterRanges")}  # fmt: skip
    request["TrainingJobDefinitions"] = [
        {**definition, **shared, "DefinitionName": name, "StaticHyperParameters": {"plus": plus}}
        for name, plus in (("low", "0"), ("high", "5"))
    ]
    end = tune(request)
    assert [trial["TrainingJobDefinitionName"] for trial in trials(store)] == ["low", "high"] * 2
    assert end["BestTrainingJob"]["TrainingJobDefinitionName"] == "high"
