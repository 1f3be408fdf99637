from __future__ import annotations

import time
from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.execution.machine import Machine
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.targets import Targets


@pytest.fixture
def run(store, definition) -> Run:
    values = [
        {"Get": "Parameters.P"},
        {"Get": "Execution.PipelineName"},
        {"Get": "Execution.PipelineExecutionId"},
    ]
    step = {
        "Name": "F", "Type": "Fail",
        "Arguments": {"ErrorMessage": {"Std:Join": {"On": "-", "Values": values}}},
    }  # fmt: skip
    parameters = [{"Name": "P", "Type": "Integer", "DefaultValue": 1}]
    return Run(
        machine=Machine(store=store, launcher=None, targets=Targets({}, {}, Path("/"))),
        document=parse(definition(step, parameters=parameters)), parameters={"P": 7},
        execution_id="abc", pipeline="Flow", started=time.time(), stop=StopSignal(), watch=lambda event: None,
    )  # fmt: skip


def test_arguments_have_values_for_expressions(run) -> None:
    assert run.arguments(run.document.by_name["F"]) == {"ErrorMessage": "7-Flow-abc"}


def test_store_and_targets_are_the_machines(run, store) -> None:
    assert run.store is store
    assert run.targets is run.machine.targets


def test_an_end_has_only_what_there_is() -> None:
    end = StepEnd(status="Failed")
    assert (end.failure, end.result, dict(end.metadata), dict(end.outputs)) == ("", None, {}, {})
