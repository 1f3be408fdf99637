from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import filled, wait_until
from trainyard.errors import AlreadyExists, Conflict, DiskFull, NotFound, UsageError
from trainyard.execution.request import StopSignal
from trainyard.execution.resources import DIED, UNRECORDED
from trainyard.execution.store import Store

KIND = "training-job"


@pytest.fixture
def recorder(store):
    return store.recorder


def status(store, name="a", kind=KIND) -> str:
    document = store.resources.get(kind, name)
    return document["TrainingJobStatus"]


def secondary(store, name="a") -> list[str]:
    document = store.resources.get(KIND, name)
    assert document["SecondaryStatus"] == document["SecondaryStatusTransitions"][-1]["Status"]
    return [entry["Status"] for entry in document["SecondaryStatusTransitions"]]


def test_the_life_of_a_job(store, recorder) -> None:
    recording = recorder.begin(KIND, "a", {"RoleArn": "r"})
    begun = store.resources.get(KIND, "a")
    assert (begun["TrainingJobName"], begun["TrainingJobStatus"]) == ("a", "InProgress")
    assert begun["TrainingJobArn"].endswith(":training-job/a")
    assert secondary(store) == ["Starting"]
    with recording:
        assert secondary(store) == ["Starting", "Training"]
        recording.update(TrainingStartTime=1.0)
        assert store.resources.get(KIND, "a")["TrainingStartTime"] == 1.0
        recording.finish({"TrainingJobStatus": "Completed", "CreationTime": 0})
    ended = store.resources.get(KIND, "a")
    assert ended == {"TrainingJobStatus": "Completed", "CreationTime": begun["CreationTime"]}
    assert recorder.running() == []


def test_a_name_is_taken_once(store, recorder) -> None:
    first = recorder.begin(KIND, "a", {})
    with pytest.raises(AlreadyExists, match="training-job 'a'"):
        recorder.begin(KIND, "a", {"RoleArn": "other"})
    assert recorder.find(KIND, "a") is first
    recorder.begin("processing-job", "a", {})


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UsageError("no such thing"), "no such thing"), (ValueError("secret"), DIED), (UsageError("\ud800"), "\\ud800"),
     (UsageError("x" * 2000), "x" * 1024)],
)  # fmt: skip
def test_what_is_raised_is_why_the_job_failed(store, recorder, error, reason) -> None:
    with pytest.raises(type(error)), recorder.begin(KIND, "a", {}):
        raise error
    found = store.resources.get(KIND, "a")
    assert (found["TrainingJobStatus"], found["FailureReason"]) == ("Failed", reason)
    assert secondary(store) == ["Starting", "Training", "Failed"]
    assert recorder.running() == []


def test_a_job_whose_end_finds_no_room_is_not_under_way_for_ever(small_disk) -> None:
    store, long = Store(small_disk / "store"), {"Environment": {"X": "x" * 300_000}}
    begins, ends = store.recorder.begin(KIND, "begins", long), store.recorder.begin(KIND, "ends", long)
    ends.__enter__()
    with filled(small_disk):
        with pytest.raises(DiskFull), begins:
            pytest.fail("it runs, though nobody can be told")
        with pytest.raises(DiskFull):
            ends.__exit__(None, None, None)
        assert (status(store, "begins"), status(store, "ends")) == ("Failed", "Failed")
    assert store.recorder.running() == []
    assert {each["FailureReason"] for each in store.resources.all(KIND)} == {UNRECORDED}


def test_stopping(store, recorder) -> None:
    recording = recorder.begin(KIND, "a", {})
    recorder.stop(KIND, "a")
    assert (status(store), recording.stop.requested) == ("Stopping", True)
    recorder.stop(KIND, "a")  # asked again, it keeps its grace
    assert not recording.stop.hurried
    assert secondary(store) == ["Starting", "Stopping"]
    with recording:
        recording.finish({"TrainingJobStatus": "Stopped"})
    with pytest.raises(Conflict, match="is Stopped; only one that runs"):
        recorder.stop(KIND, "a")
    with pytest.raises(NotFound):
        recorder.stop(KIND, "b")
    recording.update(TrainingJobStatus="Stopping")  # too late
    with pytest.raises(Conflict, match="Stopped"):
        recording.ask_to_stop()
    assert status(store) == "Stopped"


def test_a_parents_stop_stops_the_job(recorder) -> None:
    parent = StopSignal()
    recording = recorder.begin(KIND, "a", {}, parent)
    assert not recording.stop.requested
    parent.request()
    assert recording.stop.requested


def test_one_that_is_withdrawn_never_was(store, recorder) -> None:
    recorder.begin(KIND, "a", {}).withdraw()
    assert (store.resources.all(KIND), recorder.running()) == ([], [])
    recorder.begin(KIND, "a", {})


def test_fifty_at_once(store, recorder) -> None:
    start = threading.Barrier(50)

    def live(number: int) -> None:
        name = f"job-{number}"
        start.wait()
        with recorder.begin(KIND, name, {"Number": number}) as recording:
            assert store.resources.get(KIND, name)["Number"] == number
            if number % 2:
                recorder.stop(KIND, name)
                recorder.stop(KIND, name)
                assert recording.stop.requested
                assert not recording.stop.hurried
            recording.update(Seen=True)
            seen = store.resources.get(KIND, name)
            assert (seen["Seen"], seen["TrainingJobStatus"]) == (
                True,
                "Stopping" if number % 2 else "InProgress",
            )
            recording.finish({**seen, "TrainingJobStatus": "Stopped" if number % 2 else "Completed"})

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(live, range(50)))
    found = store.resources.all(KIND)
    assert sorted(each["Number"] for each in found) == list(range(50))
    for each in found:
        assert each["TrainingJobStatus"] == ("Stopped" if each["Number"] % 2 else "Completed")
    assert recorder.running() == []


def test_a_stop_that_meets_the_end_never_undoes_it(store, recorder) -> None:
    for number in range(30):
        recording = recorder.begin(KIND, f"a{number}", {})
        stopper = threading.Thread(target=lambda name=f"a{number}": _try_to_stop(recorder, name))
        stopper.start()
        with recording:
            recording.finish({"TrainingJobStatus": "Completed"})
        stopper.join()
        assert status(store, f"a{number}") == "Completed"


def _try_to_stop(recorder, name: str) -> None:
    try:
        recorder.stop(KIND, name)
    except Conflict as error:
        assert "is Completed" in str(error)


def test_a_job_whose_process_is_killed_is_failed_and_leaves_no_lock(store, tmp_path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainyard.execution.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "with store.recorder.begin('training-job', 'a', {}):\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.home)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"up\n"
    assert status(store) == "InProgress"
    with pytest.raises(Conflict, match="runs in another process"):
        store.recorder.stop(KIND, "a")
    assert status(store) == "InProgress"
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: status(store) == "Failed", 5)
    found = store.resources.get(KIND, "a")
    assert found["FailureReason"] == DIED
    assert secondary(store) == ["Starting", "Training", "Failed"]
    with pytest.raises(Conflict, match="is Failed"):
        store.recorder.stop(KIND, "a")
    other = Store(store.home)
    assert other.recorder
    mine = {path.name for path in (store.home / "locks").iterdir()}
    assert len(mine) == 2  # of these two stores; the dead process's is gone
    assert other.resources.get(KIND, "a")["TrainingJobStatus"] == "Failed"
