"""SIGTERM: the job is being stopped, or its spot instance is taken away. All processes of the host are told."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress

_asked = False


def listen() -> None:
    signal.signal(signal.SIGTERM, _ask)


def asked() -> bool:
    return _asked


def _ask(signum: int, frame: object) -> None:
    global _asked
    _asked = True
    for child in multiprocessing.active_children():
        if child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
    if multiprocessing.parent_process() is None and signum == signal.SIGTERM:
        # a process that is only just being started is told again
        signal.signal(signal.SIGALRM, _ask)
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
