"""Connections that are opened at once are spread, and one is taken where the others do not."""

from __future__ import annotations

import asyncio
import socket

import pytest

from trainyard.in_image.server.accepting import Shares, accept
from trainyard.in_image.server.listening import listen


class Echo(asyncio.Protocol):
    """A worker's end of a connection."""

    def __init__(self, connections: set[Echo]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)


@pytest.mark.parametrize("busy", [[0, 0], [3, 0], [0, 0, 0, 0]])
def test_connections_go_where_there_are_fewest(busy):
    async def main() -> list[int]:
        shares, workers = Shares(len(busy)), [set(range(count)) for count in busy]
        with listen("127.0.0.1", 0) as listener:
            # as each process has its own events, each task has its own descriptor
            ends = [listener.dup() for _ in busy]
            tasks = [
                asyncio.create_task(
                    accept(ends[number], lambda workers=own: Echo(workers), shares, number, own)  # type: ignore
                )
                for number, own in enumerate(workers)
            ]
            for number, own in enumerate(workers):
                shares.report(number, len(own))
            clients = [socket.create_connection(listener.getsockname()) for _ in range(12 - sum(busy))]
            while sum(map(len, workers)) < 12:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            for end in (*clients, *ends):
                end.close()
        return [len(own) for own in workers]

    spread = asyncio.run(asyncio.wait_for(main(), 20))
    assert max(spread) - min(spread) <= 2


def test_a_worker_that_accepts_nothing_holds_nobody_up():
    async def main() -> int:
        shares, connections = Shares(2), set()
        with listen("127.0.0.1", 0) as listener:
            task = asyncio.create_task(accept(listener, lambda: Echo(connections), shares, 1, connections))
            clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
            while len(connections) < 5:
                await asyncio.sleep(0.01)
            task.cancel()
            for client in clients:
                client.close()
        return len(connections)

    assert asyncio.run(asyncio.wait_for(main(), 20)) == 5
