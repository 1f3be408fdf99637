"""The family's script as a child process: signals are passed on to it, and the end of what it said is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

PASSED_ON = (signal.SIGTERM, signal.SIGINT)
_KEPT = 4096
_QUOTED = 700  # SageMaker shows 1,024 characters of a failure, and the toolkit's own words need some


class Script:
    """One child process, to be run by the main thread."""

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = False
        self._early = 0
        self._tail = b""

    def listen(self) -> None:
        """Pass SIGTERM and SIGINT on to the script; before there is one, they end this process."""
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)

    def run(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> int:
        """Run ``command`` to its end; its exit code, 128 + number for a signal, as a shell gives it.

        The script writes to this process's standard output itself; its standard error is copied.
        """
        self._starting = True
        self._process = subprocess.Popen(
            list(command), cwd=cwd, env=dict(environment), stderr=subprocess.PIPE
        )
        if self._early:
            self._process.send_signal(self._early)
        assert self._process.stderr is not None
        copier = threading.Thread(target=self._copy, args=(self._process.stderr,), daemon=True)
        copier.start()
        code = self._process.wait()
        copier.join(timeout=2)  # a process that the script left behind may hold its standard error open
        self.exit_code = code if code >= 0 else 128 - code
        return self.exit_code

    def last_words(self) -> str:
        """The last whole lines of the script's standard error, at most 700 characters."""
        text = self._tail.decode("utf-8", "replace").strip()
        if len(text) <= _QUOTED:
            return text
        text = text[-_QUOTED:]
        return text.partition("\n")[2] or text

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self._process is not None:
            self._process.send_signal(number)
        elif self._starting:
            self._early = number
        else:
            os._exit(128 + number)

    def _copy(self, stream: IO[bytes]) -> None:
        for chunk in iter(lambda: os.read(stream.fileno(), 65536), b""):
            sys.stderr.buffer.write(chunk)
            sys.stderr.buffer.flush()
            self._tail = (self._tail + chunk)[-_KEPT:]
