from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from trainyard.execution.request import StopSignal


def test_stop_gives_time_and_then_none(launch) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, lambda *a: print('saving', flush=True))\n"
        "print('up', flush=True)\nwhile True: time.sleep(0.1)"
    )
    stop = StopSignal()
    threading.Timer(0.5, stop.request).start()
    began = time.monotonic()
    ended, [log], _ = launch(code, stop=stop, grace=1.0)
    assert (ended.stopped, ended.exit_code) == ("Stopped", 137)
    assert "saving" in log
    assert 1.3 < time.monotonic() - began < 10


def with_command(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text().rstrip("\0").split("\0")
    except OSError:  # it has ended
        return []


@pytest.mark.parametrize("isolate", [True, False])
def test_a_job_that_does_not_listen_is_killed_with_all_it_started(launch, isolate) -> None:
    mark = "97551" if isolate else "97552"
    code = (
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen(['sleep', '{mark}'], start_new_session=True); subprocess.run(['sleep', '{mark}'])"
    )
    ended, _, _ = launch(code, isolate=isolate, max_runtime=1.0, grace=0.2)
    assert (ended.stopped, ended.exit_code) == ("MaxRuntimeExceeded", 137)
    deadline, left = time.monotonic() + 3, [0]  # the kernel takes a moment to empty a namespace
    while left and time.monotonic() < deadline:
        left = [int(at.name) for at in Path("/proc").glob("[0-9]*") if with_command(at) == ["sleep", mark]]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_a_second_stop_hurries(launch) -> None:
    stop = StopSignal()
    for delay in (0.4, 0.8):
        threading.Timer(delay, stop.request).start()
    began = time.monotonic()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert launch(code, stop=stop)[0].stopped == "Stopped"
    assert time.monotonic() - began < 10


def test_when_one_host_fails_the_others_are_stopped(launch) -> None:
    code = "import socket, sys, time; sys.exit(4) if socket.gethostname() == 'algo-2' else time.sleep(60)"
    began = time.monotonic()
    ended, _, _ = launch(code, host_count=2)
    assert ended.exit_codes == (143, 4)
    assert ended.stopped == ""
    assert time.monotonic() - began < 20
