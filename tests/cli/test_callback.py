from __future__ import annotations

import json

import pytest

from trainyard.cli.main import main
from trainyard.execution import callbacks


@pytest.fixture
def token(store, monkeypatch):
    monkeypatch.setenv("TRAINYARD_HOME", str(store.home))
    with store.living("e1"):
        store.state.add_execution("e1", "p", {}, {}, {})
        declared = [{"OutputName": "n", "OutputType": "Integer"}]
        yield callbacks.ask(store, execution="e1", execution_arn="arn:e1", step="Ask", declared=declared)


def test_what_waits_is_listed_and_answered(token, capsys) -> None:
    assert main(["callback"]) == 0
    listed = capsys.readouterr().out
    assert all(text in listed for text in (token, "Ask", "e1", "n"))
    assert main(["callback", token, "--output", "n=x"]) == 14
    assert "is not an integer" in capsys.readouterr().err
    assert main(["callback", token, "--output", "n=3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["OutputParameters"] == {"n": 3}
    assert main(["callback"]) == 0
    assert capsys.readouterr().out == "no step waits\n"
    assert main(["callback", token, "--fail", "late"]) == 33


def test_a_failure_has_its_reason(store, token) -> None:
    assert main(["callback", token, "--fail", "because"]) == 0
    assert callbacks.find(store, token)["FailureReason"] == "because"


@pytest.mark.parametrize(
    "arguments", [["t", "--output", "n"], ["--output", "n=1"], ["t", "--fail", "r", "--output", "n=1"]]
)
def test_wrong_usage(token, arguments, capsys) -> None:
    assert main(["callback", *arguments]) == 2
    assert "callback" in capsys.readouterr().err or "--output" in arguments
