from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from trainyard.errors import StoreBusy
from trainyard.execution import state as state_module
from trainyard.execution.s3 import ObjectStore, parse_uri
from trainyard.execution.state import State, storable


def add(state: State, execution: str, pipeline: str = "p") -> None:
    state.add_execution(execution, pipeline, {"Steps": []}, {"A": 1}, {})


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    add(state, "e1")
    state.start_step("e1", "Train", "Training", job="j")
    state.update_step("e1", "Train", status="Succeeded", result={"A": [1, {"b": None}]}, ended=2.0)
    reopened = State(tmp_path / "db")
    assert reopened.execution("e1") is not None
    assert reopened.execution("e1")["parameters"] == {"A": 1}
    row = reopened.step("e1", "Train")
    assert (row["result"], row["status"], row["job"]) == ({"A": [1, {"b": None}]}, "Succeeded", "j")
    assert reopened.execution("other") is None
    assert reopened.step("e1", "Other") is None


def test_attempts_are_counted(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    add(state, "e1")
    for _ in range(3):
        state.start_step("e1", "Train", "Training")
    assert [row["attempts"] for row in state.steps("e1")] == [3]


def test_successes_are_real_runs_of_the_same_key_newest_first(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    for number, (key, source, status) in enumerate(
        [({"a": "1"}, None, "Succeeded"), ({"a": "1"}, None, "Succeeded"), ({"a": "2"}, None, "Succeeded"),
         ({"a": "1"}, "e0", "Succeeded"), ({"a": "1"}, None, "Failed")]
    ):  # fmt: skip
        add(state, f"e{number}")
        state.start_step(f"e{number}", "S", "Training", cache_key=key)
        state.update_step(f"e{number}", "S", status=status, cache_source=source, ended=float(number))
    assert [row["execution"] for row in state.successes("p", "S", {"a": "1"})] == ["e1", "e0"]
    assert state.successes("other", "S", {"a": "1"}) == []
    assert state.last_success("p", "S")["execution"] == "e2"
    assert state.last_result("p", "S")["execution"] == "e3"


def test_digests_are_read_once_and_again_when_a_file_changes(tmp_path: Path, monkeypatch) -> None:
    objects, state = ObjectStore(tmp_path / "s3"), State(tmp_path / "db")
    reads = []
    real = state_module.file_digest
    monkeypatch.setattr(state_module, "file_digest", lambda path: reads.append(path.name) or real(path))
    for name in ("a", "b"):
        objects.put_bytes(name.encode(), parse_uri(f"s3://b/{name}"))
    first = state.digests(objects.list(parse_uri("s3://b/")))
    assert state.digests(objects.list(parse_uri("s3://b/"))) == first
    objects.put_bytes(b"c", parse_uri("s3://b/a"))
    third = state.digests(objects.list(parse_uri("s3://b/")))
    assert third[0] != first[0] and third[1] == first[1]
    assert reads == ["a", "b", "a"]


def test_many_threads_write_at_once(tmp_path: Path) -> None:
    state = State(tmp_path / "db")

    def work(number: int) -> None:
        for turn in range(10):
            add(state, f"e{number}-{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(state.executions(1000)) == 80
    assert sqlite3.connect(tmp_path / "db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_of_an_earlier_version_gets_its_new_columns(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    add(state, "e1")
    with sqlite3.connect(tmp_path / "db") as connection:
        for column in ("selected_from", "iteration"):
            connection.execute(f"ALTER TABLE steps DROP COLUMN {column}")
    again = State(tmp_path / "db")
    again.start_step("e1", "S", "Training", iteration={"Index": 1}, selected_from="e0")
    assert again.step("e1", "S")["iteration"] == {"Index": 1}


def test_executions_of_one_pipeline(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    for name, pipeline in (("a", "p"), ("b", "q"), ("c", "p")):
        add(state, name, pipeline)
    assert [row["id"] for row in state.executions(pipeline="p")] == ["c", "a"]
    assert len(state.executions(2)) == 2


def test_only_what_executes_becomes_stopping(tmp_path: Path) -> None:
    state = State(tmp_path / "db")
    add(state, "e1")
    assert [state.mark_stopping("e1"), state.mark_stopping("e1"), state.mark_stopping("none")] == [
        True,
        False,
        False,
    ]
    assert state.execution("e1")["status"] == "Stopping"


def test_a_store_that_another_keeps_to_itself_is_busy(tmp_path: Path, monkeypatch) -> None:
    state = State(tmp_path / "db")
    state._connect().execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "db")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy, match="is in use by others"):
        add(state, "e1")
    other.close()


@pytest.mark.parametrize("text", ["", "plain", "größe", "\ud800 bad", "\0"])
def test_text_is_stored_whatever_json_held(store, text) -> None:
    store.state.add_execution("e", "p", {}, {}, {})
    store.state.start_step("e", "S", "Fail")
    store.state.update_step("e", "S", failure=storable(text))
    assert store.state.step("e", "S")["failure"] == text.replace("\ud800", "\\ud800")
