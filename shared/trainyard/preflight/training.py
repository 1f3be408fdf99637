"""The contract of ``train``, tried in containers: how it fails, how it stops and goes on, what it can do without.

Sources: AWS SageMaker Developer Guide, "How Amazon SageMaker signals algorithm success and failure", "How
Amazon SageMaker provides training information", "Use checkpoints in Amazon SageMaker AI", "Run training
and inference containers in internet-free mode".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.families import Hyperparameter
from trainyard.preflight import example
from trainyard.preflight.bench import Bench, Trial
from trainyard.preflight.checks import Check, Finding
from trainyard.preflight.isolation import IsolatedLauncher

EXAMPLE = "train: the example"
_HYPERPARAMETERS = "input/config/hyperparameters.json"
_KILLED = 137
_UNFINISHED = (".tmp", ".part", ".partial")
_MOST = 0.7  # of the time that the whole training took


def out_of_range(bench: Bench) -> Iterator[Finding]:
    numbers = [each for each in bench.family.training.hyperparameters if each.range]
    if numbers:
        assert numbers[0].range
        value = int(numbers[0].range[1] * 10 + 1)
        yield from _refuses(bench, numbers[0], str(value), f"outside of its range {list(numbers[0].range)}")


def wrong_type(bench: Bench) -> Iterator[Finding]:
    others = [each for each in bench.family.training.hyperparameters if each.type != "text"]
    if others:
        yield from _refuses(bench, others[-1], "no-such-value", f"not a value of type {others[-1].type}")


def unusable_data(bench: Bench) -> Iterator[Finding]:
    """Every channel holds one file of a kind that nobody expects."""
    uri = "s3://trainyard-local/checks/unusable/"
    bench.store.objects.put_bytes(b"\0\xffthis is no data\n" * 10, parse_uri(f"{uri}unusable.bin"))
    channels = tuple(replace(channel, uri=uri, data_type="S3Prefix") for channel in bench.request.channels)
    request = bench.fresh_checkpoint(replace(bench.request, channels=channels))
    yield from _has_failed(bench.train(request), "channels that hold nothing but unusable.bin")


def _refuses(bench: Bench, parameter: Hyperparameter, value: str, why: str) -> Iterator[Finding]:
    request = bench.fresh_checkpoint(_with_value(bench.request, parameter.name, value))
    yield from _has_failed(bench.train(request), f"hyperparameter {parameter.name} = {value!r}, {why}")


def _with_value(request: JobRequest, name: str, value: str) -> JobRequest:
    config: dict[str, Any] = dict(request.config)
    config[_HYPERPARAMETERS] = {**config.get(_HYPERPARAMETERS, {}), name: value}
    return replace(request, config=config)


def _has_failed(trial: Trial, cause: str) -> Iterator[Finding]:
    if trial.exit_code == 0:
        also = (
            f", although it wrote to /opt/ml/output/failure: {trial.failure[:200]!r}" if trial.failure else ""
        )
        yield Finding(
            rule="exit-0",
            message=f"{cause}: the job ended with exit code 0{also}; SageMaker judges by the exit code alone, "
            "so a job that failed must end with another one",
        )
    elif not trial.failure:
        yield Finding(
            rule="no-failure-file",
            message=f"{cause}: exit code {trial.exit_code}, but there is no /opt/ml/output/failure, from which "
            f"SageMaker takes the FailureReason; write it there. The log ends with: {trial.last_line}",
        )


def stops_and_goes_on(bench: Bench) -> Iterator[Finding]:
    """SIGTERM in the middle: it ends in time with a checkpoint, from which the next run goes on."""
    request = bench.fresh_checkpoint(bench.request)
    if request.checkpoint is None:
        return
    stopped = _stopped_midway(bench, request)
    if not stopped.outcome.ended.stopped:
        yield Finding(
            rule="too-short",
            severity="warning",
            message=f"training ended by itself (exit code {stopped.exit_code}) before it could be stopped; "
            "give the example more to do, or nobody knows what SIGTERM does",
        )
        return
    if stopped.exit_code == _KILLED:
        yield Finding(
            rule="ignores-sigterm",
            message=f"SIGTERM did not end the job within {bench.grace:g} s, so it was killed; SageMaker does the same "
            "to spot instances. Let `train` be process 1 (exec) and stop on SIGTERM",
        )
    if not bench.store.objects.list(parse_uri(request.checkpoint.uri)):
        yield Finding(
            rule="no-checkpoint",
            message=f"after SIGTERM in the middle of training {request.checkpoint.container_path} is empty; "
            "write checkpoints as training goes on, each whole or not at all",
        )
        return
    again = bench.train(request)
    if again.outcome.failure:
        yield Finding(
            rule="resume",
            message=f"started again from its checkpoint, the job failed: {again.outcome.failure}",
        )
    elif not _went_on(again, bench.trained):
        yield Finding(
            rule="resume",
            message="started again from its checkpoint, the job did all its work anew: it printed as many metrics as "
            f"the first run ({len(again.metrics)}) and no line with 'resumed'",
        )


def _stopped_midway(bench: Bench, request: JobRequest) -> Trial:
    """SIGTERM at the first whole checkpoint; where there comes none, when most of the time has gone by."""
    assert request.checkpoint
    stop, began = StopSignal(), time.monotonic()
    folder = parse_uri(request.checkpoint.uri)
    latest = began + _MOST * (bench.trained.seconds if bench.trained else 0)

    def launcher(
        request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        def look() -> None:
            tick()
            names = [each.path.name for each in bench.store.objects.list(folder)]
            whole = any(not name.startswith(".") and not name.endswith(_UNFINISHED) for name in names)
            if not stop.requested and (whole or time.monotonic() > latest):
                stop.request()

        return bench.launcher(request, hosts, stop, look)

    return bench.train(request, stop=stop, launcher=launcher)


def _went_on(again: Trial, whole: Trial | None) -> bool:
    if any(re.search(r"\bresum", line, re.IGNORECASE) for line in again.lines):
        return True
    return whole is not None and len(again.metrics) < len(whole.metrics)


def isolated(bench: Bench) -> Iterator[Finding]:
    """No network, a root file system that cannot be written, no capabilities, some user's id."""
    request = bench.fresh_checkpoint(bench.request)
    trial = bench.train(request, launcher=IsolatedLauncher(bench.images, bench.store.home))
    if trial.outcome.failure:
        yield Finding(
            rule="isolated",
            message="without network, with a read-only root file system (but /tmp), without capabilities and as an "
            f"arbitrary user, training fails: {trial.outcome.failure}",
        )


TRAINING: tuple[Check[Bench], ...] = (
    Check(name=EXAMPLE, run=example.trains, needs=(example.PREPARE,)),
    Check(name="train: hyperparameter out of range", run=out_of_range, needs=(EXAMPLE,)),
    Check(name="train: hyperparameter of a wrong type", run=wrong_type, needs=(EXAMPLE,)),
    Check(name="train: unusable data", run=unusable_data, needs=(EXAMPLE,)),
    Check(name="train: SIGTERM, checkpoint, resume", run=stops_and_goes_on, needs=(EXAMPLE,)),
    Check(name="train: isolated, read-only, any user", run=isolated, needs=(EXAMPLE,)),
)
