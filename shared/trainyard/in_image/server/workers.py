"""A bounded number of threads with a bounded queue in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from trainyard.in_image.handler_errors import Refused

T = TypeVar("T")


class Workers:
    """``count`` calls run at once and ``max_queue`` more wait; used by one event loop.

    Whoever asks waits ``timeout`` seconds at most, in the queue or for the answer. A thread cannot be ended:
    ``stuck`` is called when a call runs for longer than that.
    """

    def __init__(self, count: int, max_queue: int, timeout: float, stuck: Callable[[], None]) -> None:
        self.count = count
        self._limit = count + max_queue
        self._timeout = timeout
        self._stuck = stuck
        self._pending = 0
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call ``function`` in a worker; raises Refused: 503 when the queue is full, 504 when time is up."""
        if self._pending >= self._limit:
            raise Refused(503, f"{self._pending} requests are being answered or wait; try again later")
        self._pending += 1
        loop, began = asyncio.get_running_loop(), list[float]()

        def work() -> T:
            began.append(loop.time())
            return function(*arguments)

        call = self._threads.submit(work)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(call), self._timeout)
        except TimeoutError as error:
            if call.running():
                loop.call_at(began[0] + self._timeout, lambda: call.running() and self._stuck())
            raise Refused(504, f"no answer within {self._timeout:g} s") from error
        finally:
            self._pending -= 1
