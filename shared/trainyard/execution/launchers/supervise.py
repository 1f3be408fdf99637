"""Watch a job's hosts to their end, whatever runs them: stops, the time limit, and one that fails for all."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from typing import IO, Literal, Protocol

from trainyard.execution.request import Ended, JobRequest, StopSignal

_LOOK_EVERY = 0.1
_NEVER = float("inf")


class RunningHost(Protocol):
    """One host of a job that has been started."""

    # 128 + signal for a killed one; None until `reap` has been called
    exit_code: int | None

    # a pipe that reaches its end when the host does
    @property
    def status(self) -> IO[bytes]: ...

    # take note of the end, when `status` has reached it; the log is complete after that
    def reap(self) -> int: ...

    # SIGTERM; harmless when it has ended
    def terminate(self) -> None: ...

    # SIGKILL, to all that the host has started; harmless when called again
    def kill(self) -> None: ...


def supervise(
    request: JobRequest, running: Sequence[RunningHost], stop: StopSignal, tick: Callable[[], None]
) -> Ended:
    """Return when all hosts have ended; ``tick`` is called several times a second until then."""
    deadline, kill_at = time.monotonic() + request.max_runtime, _NEVER
    stopped: Literal["", "Stopped", "MaxRuntimeExceeded"] = ""
    first = 0
    while any(host.exit_code is None for host in running):
        _wait(running)
        tick()
        now = time.monotonic()
        failed = [index for index, host in enumerate(running) if host.exit_code]
        if kill_at == _NEVER and (stop.requested or failed or now > deadline):
            if failed:
                first = failed[0]
            else:
                stopped = "Stopped" if stop.requested else "MaxRuntimeExceeded"
            kill_at = now + request.grace
            for host in running:
                host.terminate()
        if now > kill_at or (stop.hurried and kill_at != _NEVER):
            for host in running:
                host.kill()
    tick()
    return Ended(exit_codes=tuple(host.exit_code or 0 for host in running), stopped=stopped, first=first)


def _wait(running: Sequence[RunningHost]) -> None:
    """Until a host ends, at most a moment."""
    open_hosts = {host.status: host for host in running if host.exit_code is None}
    ready, _, _ = select.select(list(open_hosts), [], [], _LOOK_EVERY)
    for status in ready:
        if not status.read(100):
            open_hosts[status].reap()
