"""Scripts of a family in forks of one warm process (warm.py), for tests that start many of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainyard.families import repository_root


class Started:
    """A script that runs in a fork of the warm process."""

    def __init__(self, ask: Callable[[dict[str, Any]], int], pid: int, log: Path) -> None:
        self._ask, self.pid, self._log = ask, pid, log
        self.ended = False

    def text(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code; minus the signal's number if one ended it."""
        self.ended = True
        return self._ask({"wait": self.pid})


@contextmanager
def warm_process(
    python: Path, family: Path, heavy: tuple[str, str], environment: Callable[..., dict[str, str]], logs: Path
) -> Iterator[Callable[..., Started]]:
    """A function that starts a script of the folder ``family``; looking ``heavy`` up imports the framework."""
    paths = os.pathsep.join(map(str, (family, repository_root() / "shared")))
    warm = subprocess.Popen(
        [str(python), "-B", str(Path(__file__).with_name("warm.py")), *heavy],
        env=environment(logs, PYTHONPATH=paths), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    all_started: list[Started] = []

    def ask(request: dict[str, Any]) -> int:
        assert warm.stdin and warm.stdout
        warm.stdin.write(json.dumps(request) + "\n")
        warm.stdin.flush()
        return int(warm.stdout.readline())

    def start(script: str, base: Path, *arguments: str, **more: str) -> Started:
        log = logs / f"{len(all_started)}.log"
        command = [str(family / script), *arguments]
        pid = ask({"start": command, "environment": environment(base, **more), "log": str(log)})
        all_started.append(Started(ask, pid, log))
        return all_started[-1]

    yield start
    for left in all_started:
        if not left.ended:  # its test has failed
            left.signal(signal.SIGTERM)
    warm.stdin.close()
    warm.wait(10)
    warm.stdout.close()
