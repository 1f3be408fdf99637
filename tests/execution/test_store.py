from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trainyard.errors import NotFound, StoreError
from trainyard.execution.resources import Resources
from trainyard.execution.state import State
from trainyard.execution.store import Store, default_home, describe_execution, new_execution_id
from trainyard.local_aws.journal import Journal
from trainyard.registry.packages import Registry


def test_home_is_the_environments_or_the_repositorys(monkeypatch, tmp_path: Path, root: Path) -> None:
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path / "x"))
    assert default_home() == tmp_path / "x"
    monkeypatch.delenv("TRAINYARD_HOME")
    assert default_home() == root / ".trainyard"


def test_the_folder_says_whose_it_is(store: Store) -> None:
    assert "belongs to trainyard" in (store.home / "README").read_text()


def test_a_home_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be the store"):
        Store(tmp_path / "file")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "state.sqlite3").write_text("this is no database, not at all, whatever its name says")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "bad")


def test_execution_ids_are_sagemakers() -> None:
    names = {new_execution_id() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) == 12 and name.isalnum() and name == name.lower() for name in names)


def test_unknown_and_last_executions(store: Store) -> None:
    with pytest.raises(NotFound, match=r"no execution 'last'"):
        store.execution("last")
    store.state.add_execution("e1", "p", {}, {}, {})
    store.state.update_execution("e1", status="Succeeded")
    assert store.execution("last")["id"] == "e1"
    assert describe_execution(store.execution("e1"), [])["PipelineExecutionStatus"] == "Succeeded"


def test_one_whose_process_was_killed_is_never_shown_as_running(store: Store) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainyard.execution.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "with store.living('e1'):\n"
        "    store.state.add_execution('e1', 'p', {}, {}, {}); store.state.start_step('e1', 'S', 'Training')\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.home)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"up\n"
    assert store.execution("e1")["status"] == "Executing"
    with pytest.raises(StoreError, match="running in another process"), store.living("e1"):
        pass
    process.kill()
    process.wait()
    shown = store.execution("e1")
    assert shown["status"] == "Failed"
    assert "trainyard run --resume e1" in shown["failure"]
    assert store.state.step("e1", "S")["status"] == "Failed"


def test_looking_does_not_disturb_a_start(store: Store) -> None:
    store.state.add_execution("e9", "p", {}, {}, {})
    began = time.monotonic()
    for _ in range(50):
        with store.living("e9"):
            store.state.update_execution("e9", status="Executing")
            assert store.execution("e9")["status"] == "Executing"
        assert store.execution("e9")["status"] == "Failed"
    assert time.monotonic() - began < 5


def test_an_execution_whose_process_died_while_it_stopped_is_failed(store) -> None:
    store.state.add_execution("e1", "p", {}, {}, {})
    store.state.start_step("e1", "S", "Training", selected_from="e0", iteration={"Index": 0})
    store.state.mark_stopping("e1")
    row = store.execution("e1")
    assert row["status"] == "Failed" and row["failure"].startswith("its process died")
    [step] = describe_execution(row, store.state.steps("e1"))["PipelineExecutionSteps"]
    assert (step["StepStatus"], step["FailureReason"]) == ("Failed", "its process died")
    assert step["SelectiveExecutionResult"] == {"SourcePipelineExecutionId": "e0"}
    assert step["IterationContext"] == {"Index": 0}


@pytest.mark.parametrize("opened", [State, Resources, Registry, Journal])
def test_a_new_database_that_another_process_makes_just_now_is_waited_for(tmp_path, opened):
    other = sqlite3.connect(tmp_path / "db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE made_meanwhile (name TEXT)")
    end = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    end.start()
    opened(tmp_path / "db")
    end.join()
    other.close()
    assert sqlite3.connect(tmp_path / "db").execute("PRAGMA journal_mode").fetchone() == ("wal",)
