"""How many steps of an execution run at the same time: MaxParallelExecutionSteps."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_AT_LEAST = 2
# A ForEach step only waits for its children, which take slots themselves.
_NEVER = ("ForEach",)
# Waiting for somebody else costs this machine nothing; it counts only where the user gave a number, as on AWS.
_WAITING = ("Callback",)


class Slots:
    """``most`` steps at once; without a number, as many as this machine has processors, at least two."""

    def __init__(self, most: int | None = None, within: Slots | None = None) -> None:
        self._given = most is not None
        self._within = within
        self._semaphore = threading.Semaphore(most or max(_AT_LEAST, os.cpu_count() or _AT_LEAST))

    @contextmanager
    def taken_by(self, kind: str) -> Iterator[None]:
        """Waits for a free slot, and for one of the slots that these are ``within``, where the kind needs one."""
        with ExitStack() as stack:
            if kind not in _NEVER and (self._given or kind not in _WAITING):
                stack.enter_context(self._semaphore)
            if self._within:
                stack.enter_context(self._within.taken_by(kind))
            yield
