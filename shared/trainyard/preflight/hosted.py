"""The example's model in a serving container, laid out as the platform does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from trainyard.errors import CheckFailed
from trainyard.execution.container import Container
from trainyard.execution.hosting import ModelServer
from trainyard.execution.launchers.containers import LOCK
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.model_data import ModelPrefix, place_model
from trainyard.in_image.opt_ml import OptMl
from trainyard.preflight.bench import Bench
from trainyard.preflight.requests import Client

_ROOM_FOR_ONE = {"TRAINYARD_MAX_MODELS": "1"}


class LaidOut(Container, Protocol):
    """A container whose ``/opt/ml`` and log lie in folders of this machine."""

    @property
    def ml(self) -> OptMl: ...

    @property
    def log(self) -> Path: ...


def mode(bench: Bench) -> dict[str, str]:
    """The environment that tells a container whether it serves one model or many."""
    return {"SAGEMAKER_MULTI_MODEL": str(bench.family.serving.multi_model).lower()}


def knows_a_limit(bench: Bench) -> bool:
    """Whether the server can be told to have room for one model only; multi-model-server cannot."""
    return bench.family.serving.multi_model and bench.family.serving.server == "pooled"


def make(bench: Bench, environment: Mapping[str, str] | None = None) -> ServingContainer:
    """A container with the example's model, not yet started. Raises CheckFailed or EndpointError."""
    limit = _ROOM_FOR_ONE if knows_a_limit(bench) else {}
    container = bench.serving_container({**mode(bench), **limit, **(environment or {})})
    place(bench, container)
    return container


def place(bench: Bench, container: LaidOut) -> None:
    data = bench.model_data
    if not bench.family.serving.multi_model:
        place_model(data, container.ml)
    elif data.is_dir():
        ModelPrefix(data, container.ml).unpack(bench.family.example.target_model or "")
    else:
        raise CheckFailed(
            f"family.toml says serving.multi_model = true, but the training stores one archive, {data.name}; "
            "set OutputDataConfig.CompressionType to NONE in the pipeline"
        )


def start(bench: Bench, container: LaidOut) -> Client:
    """Start it and wait for /ping; many models: have the example's loaded. Raises EndpointError or CheckFailed."""
    ModelServer(container).start(bench.patience)
    client = Client(bench.family, container)
    if client.many:
        reply = client.load(client.model)
        if reply.status != 200:
            container.stop()
            raise CheckFailed(
                f"POST /models for {client.model} was answered with {reply.status} instead of 200: {reply.body[:200]!r}"
            )
    return client


@contextmanager
def running(bench: Bench, container: LaidOut) -> Iterator[Client]:
    """A started container, stopped at the end."""
    try:
        yield start(bench, container)
    finally:
        container.stop()


def container_id(bench: Bench, container: LaidOut) -> str:
    """The running container's id on the engine."""
    label = f"label={LOCK}={container.log.parent / 'docker.lock'}"
    return bench.engine.run("container", "ls", "--quiet", "--filter", label).strip()
