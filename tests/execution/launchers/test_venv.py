from __future__ import annotations

import threading
import time

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
