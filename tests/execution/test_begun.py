from __future__ import annotations

import pytest

from trainyard.errors import SetupError, StoreError
from trainyard.execution import events


@pytest.fixture
def document(definition):
    bad = {"Name": "Bad", "Type": "Fail", "Arguments": {"ErrorMessage": "no luck"}}
    sorry = {
        "Name": "Sorry",
        "Type": "Model",
        "Arguments": {},
        "DependsOn": [{"Step": "Bad", "Trigger": "Failed"}],
    }
    return definition(bad, sorry)


def test_it_is_recorded_before_it_runs_and_ends_once(store, make_executor, document) -> None:
    seen: list[events.Event] = []
    begun = make_executor(seen.append).begin(document, "p", {}, options={"name": "mine"})
    row = store.execution(begun.execution)
    assert (row["status"], row["options"]["name"]) == ("Executing", "mine")
    with pytest.raises(StoreError, match="is running in another process"):
        make_executor().resume(begun.execution)
    finished = begun.run()
    assert (finished.status, finished.reason) == ("CompletedWithFailures", "step Bad: no luck")
    row = store.execution(begun.execution)
    assert (row["status"], row["failure"], row["ended"] is None) == (finished.status, finished.reason, False)
    assert isinstance(seen[0], events.ExecutionStarted) and seen[0].steps == ("Bad", "Sorry")
    assert isinstance(seen[-1], events.ExecutionEnded) and seen[-1].status == "CompletedWithFailures"


def test_an_environment_that_cannot_be_made_is_how_it_ends(
    store, make_executor, document, monkeypatch
) -> None:
    executor = make_executor()

    def refuse(targets) -> None:
        raise SetupError("no network")

    monkeypatch.setattr(executor._targets, "prepare", refuse)
    with pytest.raises(SetupError):
        executor.begin(document, "p", {})
    assert store.state.executions() == []
    finished = executor.begin(document, "p", {}, prepare=False).run()
    assert (finished.status, finished.reason) == ("Failed", "no network")
    assert store.execution(finished.execution)["status"] == "Failed"


def test_a_stop_before_it_runs_starts_nothing(store, make_executor, document) -> None:
    begun = make_executor().begin(document, "p", {})
    assert store.state.mark_stopping(begun.execution) and not store.state.mark_stopping(begun.execution)
    begun.stop.request()
    assert begun.run().status == "Stopped"
    assert store.state.steps(begun.execution) == []


def test_going_on_runs_again_what_a_failure_had_triggered(store, make_executor, document) -> None:
    finished = make_executor().start(document, "p", {})
    again = make_executor().resume(finished.execution)
    assert again.status == "CompletedWithFailures"
    assert {row["name"]: row["attempts"] for row in store.state.steps(finished.execution)} == {
        "Bad": 2,
        "Sorry": 2,
    }
