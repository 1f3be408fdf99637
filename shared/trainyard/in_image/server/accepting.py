"""Connections spread over the workers: who has more than another leaves the next one to it."""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
from collections.abc import Callable, Sized

_PAUSE = 0.002  # seconds that the others have; a worker among them may be busy, or dead
_SCARCITY = 1  # seconds until there may be descriptors again

_log = logging.getLogger("trainyard.serve")


class Shares:
    """How many connections each worker has, in memory that they share once they are forked."""

    def __init__(self, count: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * count)).cast("i")

    def report(self, number: int, connections: int) -> None:
        self._counts[number] = connections

    def others_have_fewer(self, number: int) -> bool:
        """By two or more: one that was just closed makes no difference."""
        return self._counts[number] > min(self._counts) + 1


async def accept(
    listener: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    shares: Shares,
    number: int,
    connections: Sized,
) -> None:
    """Accept until cancelled; ``connections`` are those of this worker, which is ``number`` of all."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    while True:
        await _readable(loop, listener)
        shares.report(number, len(connections))
        if shares.others_have_fewer(number):
            await asyncio.sleep(_PAUSE)
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            continue  # another worker has it, or it has gone
        except OSError as error:
            _log.error("no connection can be accepted: %s", error)
            await asyncio.sleep(_SCARCITY)
            continue
        connection.setblocking(False)
        try:
            await loop.connect_accepted_socket(protocol, connection)
        except OSError:
            connection.close()
        shares.report(number, len(connections))


async def _readable(loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_reader(listener, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(listener)
