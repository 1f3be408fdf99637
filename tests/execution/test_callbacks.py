from __future__ import annotations

import pytest

from trainyard.errors import Conflict, NotFound, ParameterError
from trainyard.execution import callbacks


@pytest.fixture
def token(store):
    """Of a step of an execution that lives."""
    with store.living("e1"):
        store.state.add_execution("e1", "p", {}, {}, {})
        declared = [{"OutputName": "n", "OutputType": "Integer"}]
        yield callbacks.ask(store, execution="e1", execution_arn="arn:e1", step="Ask", declared=declared)


def test_a_token_is_answered_once(store, token) -> None:
    assert token.isalnum()
    assert len(token) == 10
    assert [each["CallbackToken"] for each in callbacks.waiting(store)] == [token]
    answered = callbacks.succeed(store, token, {"n": "3"})
    assert answered["PipelineExecutionArn"] == "arn:e1"
    assert answered["OutputParameters"] == {"n": 3}
    assert callbacks.waiting(store) == []
    assert callbacks.succeed(store, token, {"n": "3"}) == answered
    with pytest.raises(Conflict, match="it was answered: Succeeded"):
        callbacks.succeed(store, token, {"n": "4"})
    with pytest.raises(Conflict, match="it was answered: Succeeded"):
        callbacks.fail(store, token, "late")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [({}, "no output 'n'"), ({"n": "x"}, "not an integer"), ({"n": 1, "m": 2}, "has no output 'm'")],
)
def test_an_answer_that_does_not_fit_leaves_the_step_waiting(store, token, outputs, message) -> None:
    with pytest.raises(ParameterError, match=message):
        callbacks.succeed(store, token, outputs)
    assert callbacks.find(store, token)["Status"] == callbacks.WAITING


def test_a_failure_has_its_reason(store, token) -> None:
    callbacks.fail(store, token, "because")
    assert callbacks.find(store, token)["FailureReason"] == "because"


def test_nobody_waits_for_a_token_given_up(store, token) -> None:
    callbacks.give_up(store, token)
    with pytest.raises(Conflict, match="nobody waits for it any more"):
        callbacks.succeed(store, token, {"n": 1})


def test_nobody_waits_in_an_execution_that_died(store) -> None:
    store.state.add_execution("e2", "p", {}, {}, {})
    token = callbacks.ask(store, execution="e2", execution_arn="arn:e2", step="Ask", declared=[])
    assert callbacks.waiting(store) == []
    with pytest.raises(Conflict, match="nobody waits for it any more"):
        callbacks.fail(store, token)


def test_an_unknown_token(store) -> None:
    with pytest.raises(NotFound, match="no callback token 'x'"):
        callbacks.succeed(store, "x", {})
