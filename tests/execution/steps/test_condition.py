from __future__ import annotations

import time
from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.errors import ExpressionError
from trainyard.execution.machine import Machine
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run
from trainyard.execution.steps import condition
from trainyard.execution.targets import Targets


def run_of(store, parameter, conditions) -> Run:
    step = {
        "Name": "C", "Type": "Condition", "Arguments": {"Conditions": conditions, "IfSteps": [], "ElseSteps": []},
    }  # fmt: skip
    parameters = [{"Name": "P", "Type": "Float", "DefaultValue": 1.0}]
    document = {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": [step]}
    return Run(
        machine=Machine(store=store, launcher=None, targets=Targets({}, {}, Path("/"))), document=parse(document),
        parameters={"P": parameter}, execution_id="e", pipeline="p", started=time.time(), stop=StopSignal(),
        watch=lambda event: None,
    )  # fmt: skip


def at_least(value) -> dict:
    return {
        "Type": "GreaterThanOrEqualTo", "LeftValue": {"Get": "Parameters.P"}, "RightValue": value,
    }  # fmt: skip


@pytest.mark.parametrize(("parameter", "outcome"), [(0.9, "True"), (0.8, "True"), (0.7, "False")])
def test_the_outcome_is_told_with_its_reason(store, parameter, outcome) -> None:
    run = run_of(store, parameter, [at_least(0.8)])
    end = condition.run(run, run.document.by_name["C"])
    assert (end.status, end.result) == ("Succeeded", {"Outcome": outcome})
    assert end.metadata["Condition"]["Outcome"] == outcome
    assert str(parameter) in end.detail
    assert end.detail.endswith(f"is {outcome.lower()}")


def test_all_conditions_must_hold(store) -> None:
    run = run_of(store, 0.9, [at_least(0.8), at_least(0.95)])
    assert condition.run(run, run.document.by_name["C"]).result == {"Outcome": "False"}


def test_a_value_that_is_not_there_is_an_error(store) -> None:
    run = run_of(store, None, [at_least(0.8)])
    with pytest.raises(ExpressionError):
        condition.run(run, run.document.by_name["C"])
