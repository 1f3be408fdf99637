"""The first process of a server: it forks the workers, takes another where one has died, and ends them all.

It imports the handler before it forks, so that the workers share that memory, and it keeps the directory of
models. It answers no requests itself.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from trainyard.in_image.server.channel import ALIVE, encode
from trainyard.in_image.server.directory import Directory, Message

READY = {"ready": True}
"""What a worker says when it answers requests."""

_log = logging.getLogger("trainyard.serve")
_ATTEMPTS = 3  # that many workers in a row that never got ready are no accident
_PATIENCE = 10  # seconds for a worker to take a message
_ROUND = 60  # seconds for a worker to say that it is alive; then it is asked again
_GRACE = 28  # seconds; SageMaker kills the container 30 s after SIGTERM

Work = Callable[[int, socket.socket, Mapping[str, str]], int]
"""What a worker does, given its number from 0, its channel and the models there are; its exit code."""


@dataclass(frozen=True, eq=False)
class _Worker:
    number: int
    pid: int
    channel: socket.socket
    unread: bytearray


class Supervisor:
    def __init__(self, count: int, directory: Directory, work: Work, ready: Callable[[], None]) -> None:
        """``ready`` is called once, when all workers answer."""
        self._count = count
        self._directory = directory
        self._work = work
        self._ready: Callable[[], None] | None = ready
        self._workers: dict[int, _Worker] = {}
        self._waking: set[int] = set()  # not yet ready
        self._silent: set[int] = set()  # asked whether they are alive
        self._asked = time.monotonic()
        self._failures = 0
        self._failed = False
        self._stopping = 0.0  # since when
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """0 after SIGTERM; 1 when workers cannot begin: they have said why."""
        gc.collect()
        gc.freeze()  # what lies here would be copied as soon as a worker's collector touches it
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(caught, self._heed)
        self._selector.register(reader, selectors.EVENT_READ)
        for number in range(self._count):
            self._fork(number)
        while self._workers:
            for key, _ in self._selector.select(timeout=1 if self._stopping else _ROUND):
                if key.data is None:
                    reader.recv(4096)
                elif key.data.pid in self._workers:
                    self._receive(key.data)
            self._reap()
            self._ask()
            if self._stopping and time.monotonic() - self._stopping > _GRACE:
                self._signal(signal.SIGKILL)
        return 1 if self._failed else 0

    def _heed(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = time.monotonic()
            self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):  # it was just taken leave of, when this came in between
                os.kill(pid, number)

    def _fork(self, number: int) -> None:
        # SIGTERM waits until the new worker is known, and so reaches it, too
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        if not self._stopping:
            self._start(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            self._be_worker(number, theirs, ours)
        theirs.close()
        ours.settimeout(_PATIENCE)
        worker = _Worker(number, pid, ours, bytearray())
        self._workers[pid] = worker
        self._waking.add(pid)
        self._directory.join(pid)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _be_worker(self, number: int, channel: socket.socket, other: socket.socket) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(caught, signal.SIG_DFL)
            self._selector.close()
            for end in (other, *(worker.channel for worker in self._workers.values())):
                end.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            code = self._work(number, channel, self._directory.published)
        except BaseException:
            _log.exception("a worker failed")
        finally:
            logging.shutdown()
            os._exit(code)  # threads that hang hold up nothing

    def _receive(self, worker: _Worker) -> None:
        try:
            received = worker.channel.recv(65536)
        except OSError:
            received = b""
        if not received:
            self._selector.unregister(worker.channel)
            return
        self._silent.discard(worker.pid)
        worker.unread.extend(received)
        *lines, rest = worker.unread.split(b"\n")
        worker.unread[:] = rest
        for line in lines:
            message = json.loads(line)
            if message == READY:
                self._is_ready(worker.pid)
            elif message != ALIVE:
                self._send(self._directory.handle(worker.pid, message))

    def _ask(self) -> None:
        """Now and then, whether all are alive: one that hangs would hold up all who load or unload."""
        if time.monotonic() - self._asked < _ROUND:
            return
        for pid in self._silent & self._workers.keys():
            _log.error("worker %d has been silent for %d s and is ended", pid, _ROUND)
            os.kill(pid, signal.SIGKILL)
        self._asked = time.monotonic()
        self._silent = self._workers.keys() - self._waking
        self._send([(pid, ALIVE) for pid in self._silent])

    def _is_ready(self, pid: int) -> None:
        self._waking.discard(pid)
        self._failures = 0
        if not self._waking and self._ready:
            self._ready()
            self._ready = None

    def _send(self, messages: list[tuple[int, Message]]) -> None:
        for pid, message in messages:
            try:
                self._workers[pid].channel.sendall(encode(message))
            except KeyError:
                continue
            except OSError:  # it has died, or hangs: it would never know which models there are
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Take leave of the dead, orphans of theirs included: in a container this is process 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._workers:
                self._lost(self._workers.pop(pid), os.waitstatus_to_exitcode(status))

    def _lost(self, worker: _Worker, code: int) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(worker.channel)
        worker.channel.close()
        self._send(self._directory.lose(worker.pid))
        if self._stopping:
            return
        if worker.pid in self._waking:
            self._waking.discard(worker.pid)
            self._failures += 1
            if self._ready or self._failures >= _ATTEMPTS:
                self._failed = True
                self._stop()
                return
        why = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        _log.error("worker %d %s; another one takes its place", worker.pid, why)
        self._fork(worker.number)
