"""As many calls at once as there are threads, as many more as may wait, and no more."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.server.workers import Workers


def pool(count: int, max_queue: int) -> Workers:
    return Workers(count, max_queue, 20, pytest.fail)


def test_the_result_and_the_error_come_back():
    async def main():
        workers = pool(1, 0)
        assert await workers.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await workers.run(divmod, 7, 0)
        assert await workers.run(max, 1, 2) == 2

    asyncio.run(main())


def test_what_does_not_fit_is_refused_and_the_rest_is_done():
    async def main():
        workers, gate = pool(2, 3), threading.Event()
        running = [asyncio.create_task(workers.run(gate.wait, 10)) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="5 requests") as refused:
            await workers.run(gate.wait)
        assert refused.value.status_code == 503
        gate.set()
        assert await asyncio.gather(*running) == [True] * 5
        assert await workers.run(max, 1, 2) == 2

    asyncio.run(main())


def test_calls_run_at_the_same_time():
    async def main():
        workers, together = pool(4, 0), threading.Barrier(4)
        await asyncio.gather(*[workers.run(together.wait, 10) for _ in range(4)])

    asyncio.run(main())


def test_a_call_that_hangs_is_given_up():
    stuck: list[str] = []

    async def main():
        workers, gate = Workers(1, 1, 0.1, lambda: stuck.append("stuck")), threading.Event()
        with pytest.raises(Refused, match=r"no answer within 0\.1 s") as refused:
            await workers.run(gate.wait, 10)
        assert refused.value.status_code == 504
        await asyncio.sleep(0.05)
        gate.set()
        assert await workers.run(max, 1, 2) == 2

    asyncio.run(main())
    assert stuck == ["stuck"]


def test_a_call_that_waited_too_long_is_given_up_and_is_no_hang():
    async def main():
        workers = Workers(1, 3, 0.5, pytest.fail)
        calls = [workers.run(time.sleep, 0.2) for _ in range(4)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert ended[:2] == [None, None]
        assert [error.status_code for error in ended[2:]] == [504, 504]  # one had begun, one not
        await asyncio.sleep(0.5)

    asyncio.run(main())
