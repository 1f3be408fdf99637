from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest


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


def test_a_host_that_does_not_handle_sigterm_ends_by_it(launch) -> None:
    code = "import socket, sys, time; sys.exit(4) if socket.gethostname() == 'algo-2' else time.sleep(60)"
    ended, _, _ = launch(code, host_count=2)
    assert (ended.exit_codes, ended.stopped) == ((143, 4), "")
