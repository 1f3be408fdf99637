"""The rules that hold for the hosts of a job, whichever launcher runs them."""

from __future__ import annotations

import threading
import time

from trainyard.execution.request import StopSignal

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_stop_gives_time_and_then_none(launch_anywhere) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, lambda *a: print('saving', flush=True))\n"
        "print('up', flush=True)\nwhile True: time.sleep(0.1)"
    )
    stop = StopSignal()
    threading.Timer(1.5, stop.request).start()
    began = time.monotonic()
    ended, [log], _ = launch_anywhere(code, stop=stop, grace=1.0)
    assert (ended.stopped, ended.exit_code) == ("Stopped", 137)
    assert log.splitlines() == ["up", "saving"]
    assert 2.3 < time.monotonic() - began < 20


def test_who_ends_in_time_says_how(launch_anywhere) -> None:
    code = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit('saved'))\ntime.sleep(60)"
    ended, [log], _ = launch_anywhere(code, max_runtime=1.5)
    assert (ended.stopped, ended.exit_code, log) == ("MaxRuntimeExceeded", 1, "saved\n")


def test_who_does_not_listen_is_killed_when_time_is_up(launch_anywhere) -> None:
    ended, _, _ = launch_anywhere(DEAF, max_runtime=1.0, grace=0.2)
    assert (ended.stopped, ended.exit_code) == ("MaxRuntimeExceeded", 137)


def test_a_second_stop_hurries(launch_anywhere) -> None:
    stop = StopSignal()
    for delay in (1.4, 1.8):
        threading.Timer(delay, stop.request).start()
    began = time.monotonic()
    ended, _, _ = launch_anywhere(DEAF, stop=stop)
    assert (ended.stopped, ended.exit_code) == ("Stopped", 137)
    assert time.monotonic() - began < 20


def test_when_one_host_fails_the_others_are_stopped(launch_anywhere) -> None:
    code = (
        "import signal, socket, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(5))\n"
        "time.sleep(1 if socket.gethostname() == 'algo-2' else 60)\nsys.exit(4)"
    )
    began = time.monotonic()
    ended, _, _ = launch_anywhere(code, host_count=3)
    assert (ended.exit_codes, ended.stopped, ended.first, ended.exit_code) == ((5, 4, 5), "", 1, 4)
    assert time.monotonic() - began < 30
