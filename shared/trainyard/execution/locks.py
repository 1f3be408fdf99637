"""Files whose kernel locks say which process is alive; those of the dead do not pile up."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


class Locks:
    """Locks by name, a file each in ``folder``; the kernel takes them from a process that dies, however it does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, name: str, *, shared: bool = False) -> IO[str] | None:
        """The locked file, which is held until it is closed; None where another holds it.

        A ``shared`` one can be held by many, and keeps the others from taking it.
        """
        path = self._folder / name
        while True:
            file = path.open("a")
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return None
            if _is_at(file, path):
                return file
            file.close()  # it was dropped between our opening and our locking it

    def held(self, name: str) -> bool:
        try:
            with (self._folder / name).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def drop(self, name: str, file: IO[str]) -> None:
        """Let go of a lock that was taken for oneself, and of its file."""
        (self._folder / name).unlink(missing_ok=True)
        file.close()

    def sweep(self) -> None:
        """Remove the files that dead processes left."""
        for path in self._folder.iterdir():
            if file := self.take(path.name):
                self.drop(path.name, file)


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
