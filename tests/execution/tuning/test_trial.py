from __future__ import annotations

from dataclasses import replace

import pytest

from trainyard.execution import events
from trainyard.execution.request import ARN, StopSignal
from trainyard.execution.resources import TAGS
from trainyard.execution.steps.tuning import check
from trainyard.execution.tuning.trial import Trial, objective, ranked, summary


def document(name, status, value):
    metric = {} if value is None else {"FinalHyperParameterTuningJobObjectiveMetric": {"Value": value}}
    return {"TrainingJobName": name, "TrainingJobStatus": status, **metric}


@pytest.mark.parametrize(("maximize", "order"), [(True, "bacdef"), (False, "abcdef")])
def test_completed_trials_come_before_stopped_ones_and_those_before_the_rest(maximize, order) -> None:
    found = [
        document("e", "Failed", None), document("c", "Stopped", 9.0), document("a", "Completed", 1.0),
        document("b", "Completed", 2.0), document("f", "InProgress", None), document("d", "Stopped", 9.0),
    ]  # fmt: skip
    assert "".join(each["TrainingJobName"] for each in ranked(found, maximize)) == order


@pytest.fixture
def trial(machine, job, monkeypatch):
    def make(script, **changes):
        checked = check(machine, "S", job(script))
        tuner = checked.tuner(machine.store.recorder.begin("hyper-parameter-tuning-job", "t", {}), print)
        (definition,) = checked.request.definitions
        proposal = tuner._searches[""].propose()
        return Trial(
            machine=replace(machine, **changes), training=tuner._training, tuning="t", number=7, maximize=True,
            definition=definition, proposal=proposal, stop=StopSignal(),
        )  # fmt: skip

    return make


def test_a_trial_is_recorded_from_its_launch_to_its_end(trial) -> None:
    one = trial("say(1); say(2)")
    assert (one.counter, one.objective, one.ended) == ("InProgress", None, False)
    assert one.document["ObjectiveStatus"] == "Pending"
    seen = []
    one.run("S", lambda trial: False, seen.append)
    assert (one.counter, one.objective, one.ended, one.values) == ("Completed", 2.0, True, [1.0, 2.0])
    assert summary(one.document)["TrainingJobName"] == one.name and "RoleArn" not in summary(one.document)
    assert {event.host for event in seen if isinstance(event, events.LogLine)} == {"007/algo-1"}


def test_it_has_the_tags_of_its_tuning_job(trial, store) -> None:
    given = {"Tags": [{"Key": "team", "Value": "a"}]}
    store.resources.add(TAGS, f"{ARN}:hyper-parameter-tuning-job/t", given)
    assert store.resources.get(TAGS, trial("say(1)").document["TrainingJobArn"]) == given


def test_a_judge_stops_it_once_and_its_last_value_counts(trial) -> None:
    asked = []
    one = trial("for value in range(600):\n    say(value)\n    time.sleep(0.1)")
    one.run("S", lambda trial: asked.append(trial.values[-1]) or trial.values[-1] >= 2, lambda event: None)
    assert asked[:3] == [0.0, 1.0, 2.0] and len(asked) == 3
    assert one.counter == "Stopped" and objective(one.document) >= 2


def test_a_job_that_cannot_be_launched_has_failed(trial) -> None:
    from trainyard.errors import SetupError

    def broken(*arguments):
        raise SetupError("no such environment")

    one = trial("say(1)", launcher=broken)
    one.run("S", lambda trial: False, lambda event: None)
    assert (one.counter, one.objective) == ("NonRetryableError", None)
    assert one.document["FailureReason"] == "no such environment"
    assert one.document["ObjectiveStatus"] == "Failed"
