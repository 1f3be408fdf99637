"""Train the family's example in the image: the pipeline's steps up to its first Training step, that one included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from trainyard.definition import document as documents
from trainyard.definition.order import order
from trainyard.errors import CheckFailed, ExecutionStopped
from trainyard.execution.attempts import Attempt
from trainyard.execution.data import example_data, in_image
from trainyard.execution.executor import Executor
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.selection import Selection
from trainyard.execution.targets import Targets
from trainyard.families import Family
from trainyard.images.names import local_image
from trainyard.preflight.bench import Bench, Watching
from trainyard.preflight.checks import Finding

PREPARE = "example: the steps before training"


def prepare(bench: Bench, *, again: bool = True) -> None:
    """Generate the example's data and run the steps that the training waits for, all in the image.

    Without ``again``, only those steps that the store has no result of. Raises CheckFailed with the reason of the
    step that failed, DataError with the generator's.
    """
    if "InputDataUri" not in bench.parameters:
        data = example_data(bench.store, bench.family, in_image(bench.launcher, bench.target))
        bench.parameters = {"InputDataUri": data, **bench.parameters}
    executor = _executor(bench, bench.launcher)
    for name in _before_training(bench)[0]:
        if again or bench.store.state.last_result(bench.family.name, name) is None:
            _run(executor, bench, name)


def trains(bench: Bench) -> Iterator[Finding]:
    """The example's training ends with 0, leaves a model, and says every metric of the manifest."""
    watching, seen = Watching(), _Seen(bench)
    executor = _executor(bench, seen, watching)
    began = time.time()
    try:
        _run(executor, bench, _before_training(bench)[1])
    except CheckFailed as error:
        yield Finding(rule="training", message=f"{error}; its log ends with: {watching.last_line}")
        return
    request, now = bench.request, time.time()
    outcome = JobOutcome(
        request=request, ended=seen.ended, attempts=(Attempt(started=began, ended=now),), ended_at=now
    )
    bench.trained = watching.trial(outcome, bench.store, time.time() - began)
    if not any(stored for stored in bench.store.objects.list(parse_uri(request.outputs[0].uri))):
        yield Finding(
            rule="no-model",
            message=f"training ended with 0, but {request.outputs[0].container_path} is empty; write the model there",
        )
    said = set(bench.trained.metrics)
    for metric in bench.family.training.metrics:
        if metric.name not in said:
            yield Finding(
                rule="metric",
                message=f"metric {metric.name!r}: no line of the log matches its regex {metric.regex!r} of "
                "family.toml; print it, or take it out there",
            )


class _Seen:
    """The bench's launcher, which leaves on the bench what it was asked to launch."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.ended = Ended(exit_codes=())

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        self._bench.example = request
        if request.checkpoint:  # of an earlier check: with it there would be nothing to do
            folder = parse_uri(request.checkpoint.uri)
            for stored in self._bench.store.objects.list(folder):
                stored.path.unlink()
        self.ended = self._bench.launcher(request, hosts, stop, tick)
        return self.ended


def _executor(bench: Bench, launcher: Callable[..., Ended], watching: Watching | None = None) -> Executor:
    families: dict[str, Family] = {bench.family.name: bench.family}
    mapped = {local_image(bench.family): bench.target}
    targets = Targets(mapped, families, bench.root, bench.images)
    if watching is None:
        return Executor(bench.store, launcher, targets)
    return Executor(bench.store, launcher, targets, watching.take)


def _before_training(bench: Bench) -> tuple[list[str], str]:
    """The steps that the first Training step waits for, in order; and that step's name. Raises CheckFailed."""
    document = documents.parse(dict(bench.definition))
    graph = order(document)
    training = [name for name in graph.sequence if document.by_name[name].type == "Training"]
    if not training:
        raise CheckFailed(
            f"the pipeline of {bench.family.name} has no Training step, so nothing can be tried"
        )
    needed, dependencies = {training[0]}, graph.dependencies
    for name in reversed(graph.sequence):
        if name in needed:
            needed |= dependencies[name]
    return [name for name in graph.sequence if name in needed - {training[0]}], training[0]


def _run(executor: Executor, bench: Bench, step: str) -> None:
    finished = executor.start(
        bench.definition, bench.family.name, bench.parameters, selected=Selection((step,))
    )
    if finished.status == "Stopped":
        raise ExecutionStopped("the checks were stopped")
    if finished.status != "Succeeded":
        raise CheckFailed(f"the example: {finished.reason}")
