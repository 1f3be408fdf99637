from __future__ import annotations

import io
import zipfile

import pytest

from trainyard.cli.results import finish, result
from trainyard.errors import ExecutionFailed
from trainyard.execution import functions

SOURCE = """
def handler(event, context):
    return {"arns": event["arns"], "n": 1}
"""


def call(*arns: str) -> dict:
    return {
        "Name": "Register", "Type": "Lambda", "FunctionArn": "register", "Arguments": {"arns": ",".join(arns)},
        "OutputParameters": [{"OutputName": "arns", "OutputType": "String"}],
    }  # fmt: skip


def document(step: dict) -> dict:
    return {"Version": "2020-12-01", "Steps": [step]}


@pytest.fixture
def function(store):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", SOURCE)
    settings = {"Runtime": "python3.11", "Handler": "main.handler"}
    functions.create(store, "register", settings, content.getvalue())


def test_packages_that_a_function_answers_with_are_packages_of_the_run(
    store, make_executor, function, capsys
):
    first = store.registry.register("group", {}, {"recall": 0.5})
    second = store.registry.register("group", {}, {})
    gone = f"{second[:-1]}9"
    finished = make_executor().start(document(call(first, second, gone)), "p", {})

    pending = "PendingManualApproval"
    assert result(store, finished.execution)["ModelPackages"] == [
        {"ModelPackageArn": first, "ModelApprovalStatus": pending, "Metrics": {"recall": 0.5}},
        {"ModelPackageArn": second, "ModelApprovalStatus": pending, "Metrics": {}},
        {"ModelPackageArn": gone, "ModelApprovalStatus": None, "Metrics": {}},
    ]
    assert finish(store, finished, as_json=False) == 0
    assert "trainyard models approve group 2 --by" in capsys.readouterr().out


def test_a_failure_says_how_to_go_on(store, make_executor, capsys):
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "too low"}}
    finished = make_executor().start(document(stop), "p", {})
    with pytest.raises(ExecutionFailed, match="too low"):
        finish(store, finished, as_json=True)
    assert '"PipelineExecutionStatus": "Failed"' in capsys.readouterr().out
