"""SIGTERM: the job is being stopped, or its spot instance is taken away. All processes of the host are told."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress

_asked = False
_telling = False


def listen(telling: bool = False) -> None:
    """``telling``: all children of this process hear of it too; not those that read images for one that trains."""
    global _telling
    _telling = telling
    signal.signal(signal.SIGTERM, _ask)


def asked() -> bool:
    return _asked


def _ask(signum: int, frame: object) -> None:
    global _asked
    _asked = True
    if not _telling:
        return
    for child in multiprocessing.active_children():
        if child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
    if signum == signal.SIGTERM:
        # a process that is only just being started is told again
        signal.signal(signal.SIGALRM, _ask)
        signal.setitimer(signal.ITIMER_REAL, 1, 1)
