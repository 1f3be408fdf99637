"""Where the store's local endpoint answers, if it runs: a file that counts as long as its process holds the lock."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from trainyard.errors import EndpointError


@dataclass(frozen=True, kw_only=True)
class Running:
    """``started`` is in seconds since 1970; ``url`` is empty while the endpoint is starting or ending."""

    pid: int
    url: str
    started: float


class Record:
    """The endpoint of the store whose folder is ``home``."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "local_aws"
        self._file = self.folder / "endpoint.json"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the store's one endpoint, which the kernel ends with the process.

        Raises EndpointError where there is one already.
        """
        self.folder.mkdir(exist_ok=True)
        with self._lock.open("a") as lock:
            if not _locked(lock):
                raise EndpointError("the local endpoint of this store is up; see: trainyard local status")
            self._file.unlink(missing_ok=True)  # of one that was killed
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                self._file.unlink(missing_ok=True)

    def write(self, running: Running) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(running)))
        partial.replace(self._file)

    def read(self) -> Running | None:
        """None where no living process is the endpoint."""
        if not self._lock.exists():
            return None
        with self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _written(lock)
            else:
                return None
        try:
            return Running(**json.loads(self._file.read_text()))
        except FileNotFoundError:
            return Running(pid=pid, url="", started=0.0) if pid else None

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"


def _written(lock: IO[str]) -> int:
    """The process that holds the lock, which writes so just after it has taken it; 0 where it did not."""
    for _ in range(50):
        lock.seek(0)
        if pid := lock.read():
            return int(pid)
        time.sleep(0.02)
    return 0


def _locked(file: IO[str]) -> bool:
    for _ in range(20):  # somebody who only looks holds it for a moment
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False
