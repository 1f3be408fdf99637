"""A job's attempts: one, or as many as managed spot training takes when its instances are taken away.

Source: AWS SageMaker Developer Guide, "Managed Spot Training in Amazon SageMaker AI".
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainyard.execution import pipes, staging
from trainyard.execution.request import Ended, JobRequest, Launcher, StagedHost, StopSignal
from trainyard.execution.s3 import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """From when to when it ran, in seconds since 1970, and whether its instances were taken away then."""

    started: float
    ended: float
    interrupted: bool = False


def run_attempts(
    store: ObjectStore,
    launcher: Launcher,
    request: JobRequest,
    folder: Path,
    stop: StopSignal,
    tick: Callable[[], None],
) -> tuple[Ended, Sequence[StagedHost], tuple[Attempt, ...]]:
    """Run the job until it ends by itself, is stopped or is out of time; interruptions start it again.

    What a later attempt finds of an earlier one is its checkpoints, and nothing else.
    """
    attempts: list[Attempt] = []
    left = request.max_runtime
    while True:
        hosts = staging.stage(store, request, folder)
        taken_away = StopSignal(stop)
        interruptions: list[float] = []
        started = time.time()

        def look(seen: list[float] = interruptions, signal: StopSignal = taken_away) -> None:
            tick()
            if stop.take_interruption() and not seen:
                seen.append(time.time())
                signal.request()

        with pipes.feeding(store, request, hosts):
            ended = launcher(replace(request, max_runtime=left), hosts, taken_away, look)
        interrupted = ended.stopped == "Stopped" and bool(interruptions) and not stop.requested
        attempts.append(Attempt(started=started, ended=time.time(), interrupted=interrupted))
        left -= attempts[-1].ended - started
        if not interrupted:
            return ended, hosts, tuple(attempts)
        if left <= 0:
            return replace(ended, stopped="MaxRuntimeExceeded"), hosts, tuple(attempts)
        for host in hosts:
            shutil.rmtree(host.folder, ignore_errors=True)
