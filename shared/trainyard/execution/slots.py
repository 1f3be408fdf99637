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
        self._most, self._within = most, within
        self._taken = 0
        self._changed = threading.Condition()

    def resize(self, most: int) -> None:
        """Let so many steps run at once from now on; those that run go on."""
        with self._changed:
            self._most = most
            self._changed.notify_all()

    @contextmanager
    def taken_by(self, kind: str) -> Iterator[None]:
        """Waits for a free slot, and for one of the slots that these are ``within``, where the kind needs one."""
        with ExitStack() as stack:
            if kind not in _NEVER and (self._most is not None or kind not in _WAITING):
                stack.enter_context(self._slot())
            if self._within:
                stack.enter_context(self._within.taken_by(kind))
            yield

    @contextmanager
    def _slot(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(self._is_free)
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def _is_free(self) -> bool:
        return self._taken < (self._most or max(_AT_LEAST, os.cpu_count() or _AT_LEAST))
