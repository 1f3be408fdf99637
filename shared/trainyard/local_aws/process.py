"""The process that is the local endpoint: what it may open, and where its words go."""

from __future__ import annotations

import io
import resource
import sys
from contextlib import suppress
from typing import Any

_FILES = 1 << 16  # open at once, of which a connection takes up to five


class Log(io.FileIO):
    """Loses words for which the disk has no room, never the work that they are about."""

    def write(self, words: Any, /) -> int:
        with suppress(OSError):
            return super().write(words)
        return len(memoryview(words))


def print_to_what_may_be_full() -> None:
    """Let all that is printed go to stderr, which is a file on the store's disk."""
    sys.stdout = sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(Log(2, "wb", closefd=False)), line_buffering=True, errors="backslashreplace"
    )


def allow_files() -> None:
    """As many as the machine lets us have: the 1024 that are usual are those of some 250 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
