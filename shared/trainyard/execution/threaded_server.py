"""A plain TCP server with a thread per connection, which knows how many requests are under way."""

from __future__ import annotations

import socketserver
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class ThreadedServer(socketserver.ThreadingTCPServer):
    """Handlers are in ``request_under_way`` while they answer. HTTPServer would look the host's name up."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]) -> None:
        """Raises OSError where the port is taken."""
        self._under_way = 0
        self._idle = threading.Condition()
        super().__init__(address, handler)

    @contextmanager
    def request_under_way(self) -> Iterator[None]:
        self._count(+1)
        try:
            yield
        finally:
            self._count(-1)

    def wait_until_idle(self, seconds: float) -> None:
        """Wait for the requests under way, at most so long."""
        with self._idle:
            self._idle.wait_for(lambda: self._under_way == 0, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that went away is no error here
            traceback.print_exc()

    def _count(self, change: int) -> None:
        with self._idle:
            self._under_way += change
            self._idle.notify_all()
