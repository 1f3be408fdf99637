from __future__ import annotations

import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trainyard.errors import AlreadyExists, DiskFull, NotFound, StoreBusy, StoreError
from trainyard.execution.resources import DIED, Resources, moved

KINDS = st.sampled_from(["model", "training-job"])
NAMES = st.sampled_from(["a", "b", "\ud800", "x'; --", "\0"])


@pytest.fixture
def resources(tmp_path) -> Resources:
    return Resources(tmp_path / "db")


def test_what_is_not_there(resources) -> None:
    assert resources.find("model", "a") is None
    for act in (resources.get, resources.remove, resources.update):
        with pytest.raises(NotFound, match="no model 'a'"):
            act("model", "a")


def test_a_change_that_fails_changes_nothing(resources) -> None:
    resources.add("model", "a", {"n": 1})

    def fail(document):
        document["n"] = 2
        raise ValueError

    with pytest.raises(ValueError):
        resources.change("model", "a", fail)
    assert resources.get("model", "a") == {"n": 1}


def test_no_update_of_fifty_is_lost(resources) -> None:
    resources.add("model", "a", {"n": 0})
    start = threading.Barrier(50)

    def work(number: int) -> None:
        start.wait()
        resources.add("model", f"m{number}", {"n": number})
        resources.change("model", "a", lambda document: {"n": document["n"] + 1})
        with pytest.raises(AlreadyExists):
            resources.add("model", f"m{number}", {})
        assert resources.get("model", f"m{number}") == {"n": number}

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    assert resources.get("model", "a") == {"n": 50}
    assert len(resources.all("model")) == 51


def test_one_of_fifty_gets_the_name(resources) -> None:
    start = threading.Barrier(50)

    def work(number: int) -> bool:
        start.wait()
        try:
            resources.add("model", "a", {"n": number})
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(work, range(50))) == 1


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Completed"])
@pytest.mark.parametrize("alive", [True, False])
def test_only_a_job_under_way_can_be_found_dead(tmp_path, status, alive) -> None:
    resources = Resources(tmp_path / "db", lambda owner, kind, name: "" if alive else DIED)
    begun = {"TrainingJobStatus": status, "SecondaryStatus": "Training"}
    resources.add("training-job", "a", begun, owner="somebody")
    found = resources.get("training-job", "a")
    if alive or status == "Completed":
        assert found == begun
    else:
        assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Failed", "Failed")
        assert found["FailureReason"] == DIED
        assert found["SecondaryStatusTransitions"][-1]["Status"] == "Failed"
        # it is recorded, not only shown
        assert Resources(tmp_path / "db").all("training-job") == [found]


def test_the_trials_of_a_tuning_job_that_died_are_not_counted_as_running(tmp_path) -> None:
    kind = "hyper-parameter-tuning-job"
    resources = Resources(tmp_path / "db", lambda owner, kind, name: DIED)
    counters = {"Completed": 4, "InProgress": 2, "RetryableError": 1, "NonRetryableError": 0, "Stopped": 0}
    begun = {"HyperParameterTuningJobStatus": "InProgress", "TrainingJobStatusCounters": counters}
    resources.add(kind, "a", begun, owner="somebody")
    found = resources.get(kind, "a")["TrainingJobStatusCounters"]
    assert found == {**counters, "InProgress": 0, "RetryableError": 3}


def test_a_job_without_an_owner_is_nobodys_to_bury(tmp_path) -> None:
    resources = Resources(tmp_path / "db", lambda owner, kind, name: DIED)
    resources.add("training-job", "a", {"TrainingJobStatus": "InProgress"})
    assert resources.get("training-job", "a")["TrainingJobStatus"] == "InProgress"


def test_a_transition_ends_the_one_before() -> None:
    document = moved(moved({"SecondaryStatus": ""}, "Starting", "s"), "Training", "t")
    first, second = document["SecondaryStatusTransitions"]
    assert (first["Status"], second["Status"], document["SecondaryStatus"]) == (
        "Starting",
        "Training",
        "Training",
    )
    assert first["EndTime"] == second["StartTime"]
    assert "EndTime" not in second
    assert moved({"a": 1}, "Training", "") == {"a": 1}


def test_a_database_that_is_none_is_said_to_be(tmp_path) -> None:
    (tmp_path / "db").write_text("this is no database, not at all, whatever its name may say about it")
    with pytest.raises(StoreError, match="cannot be used"):
        Resources(tmp_path / "db")
    resources = Resources(tmp_path / "other")
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("DROP TABLE resources")
    connection.close()
    with pytest.raises(StoreError, match="no such table"):
        resources.all("model")


def test_one_that_others_use_or_that_cannot_grow_is_said_to_be_so(resources, tmp_path, monkeypatch) -> None:
    connect = sqlite3.connect

    def small(database, *, timeout, **more):
        made = connect(database, timeout=0, **more)
        made.execute("PRAGMA max_page_count = 1")  # no more pages than there are
        return made

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(DiskFull, match="set TRAINYARD_HOME to a larger disk"):
        resources.add("model", "large", {"text": "x" * 100_000})
    with closing(connect(tmp_path / "db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="db is in use by others"):
            resources.add("model", "a", {})
    assert resources.all("model") == []


class AsADictionary(RuleBasedStateMachine):
    """Resources behave as a dictionary of (kind, name) would, in the order of making."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.resources = Resources(Path(self.folder.name) / "db")
        self.model: dict[tuple[str, str], dict[str, object]] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(kind=KINDS, name=NAMES, value=st.text(max_size=3))
    def add(self, kind, name, value) -> None:
        try:
            self.resources.add(kind, name, {"v": value})
        except AlreadyExists:
            assert (kind, name) in self.model
        else:
            assert (kind, name) not in self.model
            self.model[kind, name] = {"v": value}

    @rule(kind=KINDS, name=NAMES, value=st.integers())
    def change(self, kind, name, value) -> None:
        try:
            self.resources.change(kind, name, lambda document: {**document, "n": value})
        except NotFound:
            assert (kind, name) not in self.model
        else:
            self.model[kind, name]["n"] = value

    @rule(kind=KINDS, name=NAMES)
    def remove(self, kind, name) -> None:
        try:
            removed = self.resources.remove(kind, name)
        except NotFound:
            assert (kind, name) not in self.model
        else:
            assert removed == self.model.pop((kind, name))

    @rule(kind=KINDS, name=NAMES)
    def find(self, kind, name) -> None:
        assert self.resources.find(kind, name) == self.model.get((kind, name))

    @invariant()
    def all_are_there(self) -> None:
        for kind in ("model", "training-job"):
            assert self.resources.all(kind) == [
                document for (of, _), document in self.model.items() if of == kind
            ]


TestAsADictionary = AsADictionary.TestCase
TestAsADictionary.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
