"""Where an image is tried: a store of its own, the launcher with Docker, and the family's example to train on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainyard.errors import CheckFailed, ExecutionStopped
from trainyard.execution import events
from trainyard.execution.hosting import START_SECONDS
from trainyard.execution.images import Images
from trainyard.execution.jobs import run_job
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import DEFAULT_GRACE_SECONDS, JobRequest, Launcher, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Target
from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage
from trainyard.images.recipe import SOURCE_DIGEST
from trainyard.in_image.opt_ml import OptMl
from trainyard.preflight.requests import Client


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training job and what it let be seen. ``failure`` is the text of its failure file; ``seconds`` wall time."""

    outcome: JobOutcome
    failure: str
    lines: tuple[str, ...]
    metrics: tuple[str, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        return self.outcome.ended.exit_code

    @property
    def last_line(self) -> str:
        return _last(self.lines)


@dataclass
class Bench:
    """``grace`` is how many seconds a job may take to end after SIGTERM, ``patience`` a server to answer /ping.

    ``definition`` and ``parameters`` are the pipeline whose training step is tried. ``example`` and ``models``
    are known once that has succeeded: its request, and where its models lie. ``endpoint`` and ``client`` are
    the container that the serving checks share, and who asks it, while it runs.
    """

    engine: Engine
    image: LocalImage
    family: Family
    root: Path
    store: Store
    definition: Mapping[str, Any]
    parameters: Mapping[str, str]
    grace: float = DEFAULT_GRACE_SECONDS
    patience: float = START_SECONDS
    stop: StopSignal = field(default_factory=StopSignal)
    example: JobRequest | None = None
    trained: Trial | None = None
    endpoint: ServingContainer | None = None
    client: Client | None = None

    @property
    def target(self) -> Target:
        return Target("docker", self.image.reference)

    @property
    def is_ours(self) -> bool:
        """Whether the image was built by trainyard, so that it knows trainyard's own settings."""
        return SOURCE_DIGEST in self.image.labels

    @cached_property
    def images(self) -> Images:
        return Images(self.root)

    @cached_property
    def launcher(self) -> Launcher:
        return DockerLauncher(self.images, self.store.home)

    @property
    def request(self) -> JobRequest:
        """The example's training job. Raises CheckFailed while it is not known."""
        if self.example is None:
            raise CheckFailed("the example's training job is not known, because it could not be started")
        return self.example

    @property
    def model_data(self) -> Path:
        """The file or folder that the example's training has stored. Raises CheckFailed."""
        data = self.store.objects.path(parse_uri(self.request.outputs[0].uri))
        if not data.exists():
            raise CheckFailed("the example's training has left no model to serve")
        return data

    @property
    def asking(self) -> Client:
        if self.client is None:
            raise CheckFailed("serve does not run any more")
        return self.client

    @property
    def endpoint_running(self) -> ServingContainer:
        if self.endpoint is None:
            raise CheckFailed("serve does not run any more")
        return self.endpoint

    def close(self) -> None:
        """Stop what a check has left running."""
        if self.endpoint is not None:
            self.endpoint.stop()
        self.endpoint = self.client = None

    def scratch(self) -> Path:
        folder = self.store.home / "checks" / secrets.token_hex(6)
        folder.mkdir(parents=True)
        return folder

    def serving_container(self, environment: Mapping[str, str]) -> ServingContainer:
        return ServingContainer(self.engine, self.store.home, self.target, self.scratch(), environment)

    def train(
        self,
        request: JobRequest,
        *,
        stop: StopSignal | None = None,
        launcher: Launcher | None = None,
        watch: events.Watcher = events.nobody,
    ) -> Trial:
        """Run a variant of the example's job under a name of its own. Raises UserError where it cannot start."""
        name = f"check-{secrets.token_hex(6)}"
        outputs = tuple(replace(each, uri=each.uri.replace(request.name, name)) for each in request.outputs)
        request = replace(request, name=name, outputs=outputs, grace=self.grace)
        seen = Watching(watch)
        began = time.monotonic()
        outcome = run_job(
            self.store, launcher or self.launcher, "check", request, stop or self.stop, seen.take
        )
        if self.stop.requested:
            raise ExecutionStopped("the checks were stopped")
        return seen.trial(outcome, self.store, time.monotonic() - began)

    def fresh_checkpoint(self, request: JobRequest) -> JobRequest:
        """The same job with an empty checkpoint folder, if it has one."""
        if request.checkpoint is None:
            return request
        uri = f"s3://trainyard-local/checks/{secrets.token_hex(6)}/checkpoints/"
        return replace(request, checkpoint=replace(request.checkpoint, uri=uri))


class Watching:
    """Collects the log lines and metrics of a job, and passes every event on."""

    def __init__(self, watch: events.Watcher = events.nobody) -> None:
        self._watch = watch
        self._lines: list[str] = []
        self._metrics: list[str] = []

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.LogLine):
            self._lines.append(event.line)
        elif isinstance(event, events.MetricSeen):
            self._metrics.append(event.name)
        self._watch(event)

    @property
    def last_line(self) -> str:
        return _last(self._lines)

    def trial(self, outcome: JobOutcome, store: Store, seconds: float) -> Trial:
        folder = store.job_folder(outcome.request.name)
        files = [OptMl(folder / host / "ml").failure for host in outcome.request.hosts]
        texts = [file.read_text(errors="replace") for file in files if file.is_file()]
        return Trial(
            outcome=outcome,
            failure="\n".join(texts).strip(),
            lines=tuple(self._lines),
            metrics=tuple(self._metrics),
            seconds=seconds,
        )


def _last(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "no output")[:300]
