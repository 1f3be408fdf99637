from __future__ import annotations

import time
from pathlib import Path

import pytest

from trainyard.definition.document import parse
from trainyard.execution.machine import Machine
from trainyard.execution.request import StopSignal
from trainyard.execution.run import Run
from trainyard.execution.steps import fail
from trainyard.execution.targets import Targets

JOINED = {"Std:Join": {"On": " ", "Values": ["P is", {"Get": "Parameters.P"}]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ErrorMessage": "too bad"}, "too bad"),
        ({"ErrorMessage": JOINED}, "P is 3"),
        ({"ErrorMessage": "\ud800 half"}, "\\ud800 half"),
    ],
)
def test_the_message_is_the_failure(store, arguments, message) -> None:
    document = {
        "Version": "2020-12-01", "Metadata": {}, "Parameters": [{"Name": "P", "Type": "Integer", "DefaultValue": 3}],
        "Steps": [{"Name": "F", "Type": "Fail", "Arguments": arguments}],
    }  # fmt: skip
    run = Run(
        machine=Machine(store=store, launcher=None, targets=Targets({}, {}, Path("/"))), document=parse(document),
        parameters={"P": 3}, execution_id="e", pipeline="p", started=time.time(), stop=StopSignal(),
        watch=lambda event: None,
    )  # fmt: skip
    end = fail.run(run, run.document.by_name["F"])
    assert (end.status, end.failure) == ("Failed", message)
    assert end.metadata == {"Fail": {"ErrorMessage": message}}
