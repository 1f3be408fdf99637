from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time

import pytest

from tests.conftest import wait_until
from trainyard.errors import EndpointError
from trainyard.local_aws.record import Record, Running


def test_who_holds_it_is_told_where_it_answers(tmp_path):
    record = Record(tmp_path)
    assert record.read() is None
    with record.held():
        assert record.read() == Running(pid=os.getpid(), url="", started=0.0)
        running = Running(pid=os.getpid(), url="http://127.0.0.1:1", started=5.0)
        record.write(running)
        assert record.read() == running
        with pytest.raises(EndpointError, match="trainyard local status"), Record(tmp_path).held():
            pass
        assert record.read() == running
    assert record.read() is None


def test_a_killed_process_leaves_nothing_that_counts(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from trainyard.local_aws.record import Record, Running\n"
        "record = Record(Path(sys.argv[1]))\n"
        "with record.held():\n    record.write(Running(pid=1, url='http://x', started=1.0)); time.sleep(60)\n"
    )
    record = Record(tmp_path)
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) as process:
        wait_until(lambda: (record.read() or Running(pid=0, url="", started=0)).url == "http://x")
        process.kill()
    assert record.read() is None
    with record.held():
        assert record.read().url == ""


def test_a_lock_that_was_just_taken_is_looked_at_until_its_holder_has_written(tmp_path):
    record = Record(tmp_path)
    record.folder.mkdir()
    with (record.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def write() -> None:
            time.sleep(0.1)
            lock.write("77")
            lock.flush()

        writer = threading.Thread(target=write)
        writer.start()
        assert record.read() == Running(pid=77, url="", started=0.0)
        writer.join()


def test_a_holder_that_never_says_who_it_is_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    record = Record(tmp_path)
    record.folder.mkdir()
    with (record.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert record.read() is None
