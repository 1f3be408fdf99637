"""Run a transform job: every object through an instance's containers, its output stored when it is whole.

Sources: AWS, "Use Batch Transform" and the API reference, CreateTransformJob. One object's failure does not keep the
others from being processed and stored, but the job has failed; a job that is stopped stores nothing.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from trainyard.errors import DataError, EndpointError, StoreError, UserError
from trainyard.execution import events
from trainyard.execution.logs import LogFollower
from trainyard.execution.machine import Machine
from trainyard.execution.request import StopSignal
from trainyard.execution.s3 import StoredObject, disk_errors, parse_uri
from trainyard.execution.staging import channel_objects
from trainyard.execution.transform import capture
from trainyard.execution.transform.batches import Batch, assemble, pack
from trainyard.execution.transform.instance import Instance, Settings
from trainyard.execution.transform.request import TransformRequest
from trainyard.execution.transform.splitting import split

_LOOK_EVERY = 0.05
_REASON_LENGTH = 1024

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class TransformOutcome:
    """``stored`` holds the URI and mark of each output; times are in seconds since 1970."""

    status: Literal["Completed", "Failed", "Stopped"]
    started: float
    ended_at: float
    failure: str = ""
    stored: Mapping[str, list[int]] = field(default_factory=dict)


@dataclass
class _Work:
    """One object on its way; ``place`` holds its output until that is stored."""

    item: StoredObject
    place: Path
    done: Future[None] | None = None


def transform(
    machine: Machine, request: TransformRequest, model: Mapping[str, Any], step: str, stop: StopSignal,
    watch: events.Watcher,
) -> TransformOutcome:  # fmt: skip
    """Run the job to its end. Raises UserError where it could not be started or its outputs could not be stored."""
    started = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)) if request.inference_ids else ""
    request = replace(request, joining=replace(request.joining, stamp=stamp))
    objects = channel_objects(machine.store.objects, request.channel)
    folder = machine.store.job_folder(request.name)
    with ExitStack() as owned, disk_errors(folder):
        (folder / "outputs").mkdir(parents=True)
        instances = []
        for number in range(min(request.instances, len(objects))):
            instances.append(Instance(machine, request, model, f"algo-{number + 1}"))
            owned.callback(instances[-1].close)
        follower = LogFollower(
            [log for instance in instances for log in instance.logs],
            (),
            on_line=lambda host, line: watch(events.LogLine(step=step, host=host, line=line)),
        )
        owned.callback(follower.close)
        all_work = [_Work(item, folder / "outputs" / str(n)) for n, item in enumerate(objects)]
        try:
            stopped = _run(request, instances, all_work, stop, follower.read)
        finally:
            follower.read(final=True)
        failure = "the job was stopped" if stopped else _failure(all_work)
        stored = {} if stopped else _store(machine, request, all_work, started)
    return TransformOutcome(
        status="Stopped" if stopped else "Failed" if failure else "Completed",
        started=started,
        ended_at=time.time(),
        failure=failure,
        stored=stored,
    )


def _run(
    request: TransformRequest,
    instances: Sequence[Instance],
    all_work: Sequence[_Work],
    stop: StopSignal,
    tick: Callable[[], None],
) -> bool:
    """Whether the job was stopped before it was through. Each work's ``done`` tells what came of it."""
    # a container is killed when the thread that started it ends, so these threads live until it has been stopped
    with ThreadPoolExecutor(len(instances), thread_name_prefix="transform") as pool:
        try:
            starting = [pool.submit(instance.start) for instance in instances]
            if _watch(starting, instances, stop, tick):
                return True
            for started in starting:
                started.result()
            running = [
                pool.submit(_run_instance, request, instance, all_work[index :: len(instances)])
                for index, instance in enumerate(instances)
            ]
            stopped = _watch(running, instances, stop, tick)
            for ended in running:
                ended.result()
            return stopped
        finally:
            for instance in instances:
                instance.stop()


def _watch(
    running: Sequence[Future[Any]], instances: Sequence[Instance], stop: StopSignal, tick: Callable[[], None]
) -> bool:
    """Until all have ended; a stop ends the containers, which ends what waits for their answers."""
    stopped = False
    while wait(running, _LOOK_EVERY).not_done:
        tick()
        if stop.requested and not stopped:
            stopped = True
            for instance in instances:
                instance.stop()
    return stopped


def _run_instance(request: TransformRequest, instance: Instance, part: Sequence[_Work]) -> None:
    settings = instance.settings()
    with (
        ThreadPoolExecutor(settings.at_once, thread_name_prefix="transform-request") as requests,
        ThreadPoolExecutor(
            min(settings.at_once, len(part)), thread_name_prefix="transform-object"
        ) as several,
    ):
        for work in part:
            work.done = several.submit(_transform_object, request, settings, instance, requests, work)


def _transform_object(
    request: TransformRequest, settings: Settings, instance: Instance, pool: Executor, work: _Work
) -> None:
    """Write the output of one object. Raises UserError, after which it is not whole."""

    def answer(batch: Batch) -> bytes:
        return request.joining.output(batch.records, instance.ask(batch.payload))

    try:
        if settings.piped and work.item.size:
            with disk_errors(work.place):
                instance.pipe(lambda: open_object(work.item, request.gzipped), work.place)
            return
        with disk_errors(work.place), open_object(work.item, request.gzipped) as content:
            records = request.joining.requests(split(content, request.split))
            batches = pack(records, settings.strategy, settings.max_bytes)
            with work.place.open("wb") as output:
                output.writelines(
                    assemble(in_order(pool, answer, batches, settings.at_once), request.assemble)
                )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"it is not gzip, as CompressionType says: {error}") from error


def open_object(item: StoredObject, gzipped: bool) -> BinaryIO:
    return gzip.open(item.path, "rb") if gzipped else item.path.open("rb")  # type: ignore[return-value]


def in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[Result]:
    """The results in the order of the items, of which at most ``at_once`` are worked on or wait to be taken."""
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= at_once:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for each in pending:
            each.cancel()


def _failure(all_work: Sequence[_Work]) -> str:
    """SageMaker's FailureReason, which names the first object that failed; empty where none did."""
    failed = [(work, error) for work in all_work if (error := _error(work))]
    if not failed:
        return ""
    work, error = failed[0]
    if not isinstance(error, UserError):
        raise error
    kind = "AlgorithmError" if isinstance(error, EndpointError) else "ClientError"
    others = f" (and {len(failed) - 1} more of {len(all_work)} objects failed)" if len(failed) > 1 else ""
    text = f"{kind}: {work.item.uri}: {error}"
    return text[: _REASON_LENGTH - len(others)] + others


def _error(work: _Work) -> BaseException | None:
    return work.done.exception() if work.done else None


def _store(
    machine: Machine, request: TransformRequest, all_work: Sequence[_Work], started: float
) -> dict[str, list[int]]:
    """Move the outputs of the objects that succeeded into the store, all of them or none."""
    objects, stored = machine.store.objects, dict[str, list[int]]()
    done = [work for work in all_work if not _error(work)]
    try:
        for work in done:
            uri = parse_uri(str(parse_uri(request.output_uri).join(f"{work.item.relative}.out")))
            stored[str(uri)] = objects.mark(objects.put(work.place, uri, move=True))
        if request.capture_uri and done:
            names = [(str(work.item.uri), work.item.relative) for work in done]
            capture.write_manifests(objects, request.capture_uri, request.output_uri, names, started)
    except (OSError, StoreError) as error:
        for text in stored:
            objects.delete(parse_uri(text))
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"the outputs cannot be stored: {error.strerror or error}") from error
    return stored
