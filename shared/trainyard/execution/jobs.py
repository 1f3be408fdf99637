"""Run one job from request to stored outputs: stage, launch, follow the log, collect or explain."""

from __future__ import annotations

import secrets
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from trainyard.errors import StoreError, UserError
from trainyard.execution import events, outputs
from trainyard.execution.attempts import run_attempts
from trainyard.execution.logs import LogFollower
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Ended, JobRequest, Launcher, StagedHost, StopSignal
from trainyard.execution.store import Store
from trainyard.in_image.opt_ml import OptMl

_REASON_LENGTH = 1024
_MAX_NAME = 63


def job_name(execution: str, step: str) -> str:
    """``pipelines-<execution>-<step>-<random>``, as SageMaker mints them, at most 63 characters."""
    room = _MAX_NAME - len(f"pipelines-{execution}--") - 10
    return f"pipelines-{execution}-{step[:room]}-{secrets.token_hex(5)}"


def run_job(
    store: Store, launcher: Launcher, step: str, request: JobRequest, stop: StopSignal, watch: events.Watcher
) -> JobOutcome:
    """Run a job to its end. Its outputs are in the store when it has succeeded, or was training that was stopped.

    Raises UserError where the job could not be started or its outputs could not be stored.
    """
    folder = store.job_folder(request.name)
    folder.mkdir(parents=True)
    follower = LogFollower(
        [folder / f"{host}.log" for host in request.hosts],
        request.metrics,
        on_line=lambda host, line: watch(events.LogLine(step=step, host=host, line=line)),
        on_metric=lambda host, name, value: watch(
            events.MetricSeen(step=step, host=host, name=name, value=value)
        ),
    )
    upload = outputs.Continuous(store.objects, request, folder)

    def tick() -> None:
        follower.read()
        upload.look()

    try:
        ended, hosts, attempts = run_attempts(store.objects, launcher, request, folder, stop, tick)
        follower.read(final=True)
    finally:
        follower.close()
    failure, message = _failure(request, ended, hosts), _message(request, hosts)
    stored: outputs.Stored = {}
    # SageMaker keeps the model of a training job that was stopped (AWS: StopTrainingJob)
    if not failure or (ended.stopped and request.kind == "Training"):
        stored = _collect(store, request, hosts, folder)
        for host in hosts:
            shutil.rmtree(host.folder, ignore_errors=True)
    return JobOutcome(
        request=request,
        ended=ended,
        attempts=attempts,
        ended_at=time.time(),
        metrics=follower.final_metrics,
        stored=stored,
        failure=failure,
        message=message,
    )


def _collect(store: Store, request: JobRequest, hosts: Sequence[StagedHost], folder: Path) -> outputs.Stored:
    try:
        return outputs.collect(store.objects, request, hosts, folder)
    except UserError:
        outputs.discard(store.objects, folder)
        raise
    except (OSError, RecursionError) as error:  # a path that is too long, folders nested too deeply
        outputs.discard(store.objects, folder)
        reason = error.strerror if isinstance(error, OSError) else "its folders are nested too deeply"
        raise StoreError(f"the outputs cannot be stored: {reason}; they are still in {folder}") from error


def _failure(request: JobRequest, ended: Ended, hosts: Sequence[StagedHost]) -> str:
    """SageMaker's FailureReason, or nothing for a job that succeeded."""
    if ended.stopped == "MaxRuntimeExceeded":
        return f"MaxRuntimeExceeded: the job ran longer than {request.max_runtime:g} s and was stopped"
    if ended.stopped:
        return "the job was stopped"
    if ended.exit_code == 0:
        return ""
    index = ended.exit_codes.index(ended.exit_code, ended.first)
    host = hosts[index]
    written = OptMl(host.ml).failure if request.kind == "Training" else OptMl(host.ml).message
    reason = _first(written) or _last_line(host.log) or "no message"
    where = f" on {host.name}" if len(hosts) > 1 else ""
    return f"AlgorithmError: {reason}, exit code: {_exit_text(ended.exit_code)}{where}"


def _exit_text(code: int) -> str:
    if code > 128 and code - 128 in {number.value for number in signal.Signals}:
        return f"{code} ({signal.Signals(code - 128).name})"
    return str(code)


def _message(request: JobRequest, hosts: Sequence[StagedHost]) -> str:
    """What the hosts of a processing job left in ``/opt/ml/output/message``."""
    if request.kind != "Processing":
        return ""
    return "\n".join(text for text in (_first(OptMl(host.ml).message) for host in hosts) if text)


def _first(path: Path) -> str:
    if path.is_symlink() or not path.is_file():  # a pipe would be waited for
        return ""
    try:
        with path.open("rb") as file:
            return file.read(_REASON_LENGTH).decode(errors="replace").strip()
    except OSError:
        return ""


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:_REASON_LENGTH] if lines else ""


def printable(request: JobRequest) -> dict[str, object]:
    """A request as JSON for ``--dry-run``."""
    return {
        "name": request.name,
        "kind": request.kind,
        "image": request.image,
        "runs as": str(request.target),
        "hosts": list(request.hosts),
        "command": list(request.command) or ["train" if request.kind == "Training" else "(the image's own)"],
        "environment": dict(request.environment),
        "hyperparameters": request.config.get("input/config/hyperparameters.json", {}),
        "inputs": {
            channel.name: f"{channel.uri} -> {channel.container_path} ({channel.data_type}, {channel.distribution})"
            for channel in request.channels
        },
        "outputs": {output.name: f"{output.container_path} -> {output.uri}" for output in request.outputs},
        "checkpoints": f"{request.checkpoint.container_path} <-> {request.checkpoint.uri}"
        if request.checkpoint
        else None,
        "max runtime": f"{request.max_runtime:g} s",
    }
