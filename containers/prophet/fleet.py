"""Work for all cores: a few long-lived processes, each given one task at a time, none trusted to survive."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

ATTEMPTS = 2
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


def cores(limit: int = 0) -> int:
    """How many processes to run: ``limit``, or with 0 one per core this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return limit or available


def run(
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    processes: int,
    parts: Callable[[Any], list[Any]] = lambda task: [task],
) -> Generator[tuple[Any, Any], None, None]:
    """Yield ``(task, work(task))`` in the order in which they get done; ``tasks`` are asked for as they are needed.

    ``work`` is a module's function, and imports what is heavy when it is called. A task whose process
    dies (out of memory, a crash, an exception) is tried once more in a new one, its ``parts`` one by one;
    then its result is ``Died``. An OSError in ``work`` (disk full) is raised here, as no other task would
    fare better. However this ends, no process is left.
    """
    again: deque[tuple[Any, int]] = deque()
    first = ((task, 1) for task in tasks)

    def upcoming() -> tuple[Any, int] | None:
        return again.popleft() if again else next(first, None)

    fleet: list[_Worker] = []
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch:
        try:
            following = upcoming()
            while following or any(worker.task for worker in fleet):
                idle = [worker for worker in fleet if worker.task is None]
                while following and (idle or len(fleet) < processes):
                    if not idle:
                        idle.append(_Worker(work, scratch))
                        fleet.append(idle[0])
                    idle.pop().take(following)
                    following = upcoming()
                for connection in wait([worker.connection for worker in fleet if worker.task]):
                    worker = next(worker for worker in fleet if worker.connection is connection)
                    task, attempt = worker.task
                    answer = worker.answer()
                    if isinstance(answer, OSError):
                        raise answer
                    if isinstance(answer, Died):
                        fleet.remove(worker)
                        if attempt < ATTEMPTS:
                            again.extend((part, attempt + 1) for part in parts(task))
                            continue
                    yield task, answer
                following = following or upcoming()
            for worker in fleet:
                worker.dismiss()
        finally:
            for worker in fleet:
                worker.kill()


@dataclass(frozen=True)
class Died:
    """The process that had the task is gone, as the one before; ``reason`` says how the last one ended."""

    reason: str


class _Worker:
    """One process and the task it has."""

    def __init__(self, work: Callable[[Any], Any], scratch: str) -> None:
        context = multiprocessing.get_context("spawn")
        for variable in _ONE_THREAD:  # read by numpy and its like when the new process imports them
            os.environ[variable] = "1"
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, work, scratch), daemon=True)
        self.task: Any = None
        self.process.start()
        theirs.close()

    def take(self, task: tuple[Any, int]) -> None:
        self.task = task
        with suppress(BrokenPipeError):  # died while idle: answer() will tell
            self.connection.send(task[0])

    def answer(self) -> Any:
        self.task = None
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Died(_how_it_ended(self.process.exitcode))

    def dismiss(self) -> None:
        """Let it end by itself: its exit handlers tidy up."""
        self.connection.close()
        self.process.join(timeout=5)

    def kill(self) -> None:
        if self.process.exitcode is None and self.process.pid:
            with suppress(ProcessLookupError):  # killed before it had a group of its own
                os.killpg(self.process.pid, signal.SIGKILL)  # with what it has started itself
            self.process.kill()
            self.process.join()


def _serve(connection: Connection, work: Callable[[Any], Any], scratch: str) -> None:
    """The life of a worker. It ends with its parent, whichever way that one ends."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    tempfile.tempdir = scratch
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            task = connection.recv()
            try:
                answer = work(task)
            except OSError as error:
                answer = OSError(
                    error.errno, f"{error.strerror or error}: {error.filename or 'no file named'}"
                )
            connection.send(answer)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode == -signal.SIGKILL:
        return "its process was killed (SIGKILL), most likely for lack of memory"
    if exitcode is not None and exitcode < 0:
        return f"its process was ended by {signal.Signals(-exitcode).name}"
    return f"its process ended with exit code {exitcode}; its last words are in the log"
