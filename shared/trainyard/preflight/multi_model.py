"""Many models in one container: loading, listing, room for one more, unloading.

Source: AWS SageMaker Developer Guide, "Container contract for multi-model endpoints". The container has
``TRAINYARD_MAX_MODELS=1``, which stands for memory that is full, and the example's model loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from trainyard.execution.container import Reply
from trainyard.execution.model_data import identifier
from trainyard.preflight.bench import Bench
from trainyard.preflight.checks import Finding
from trainyard.preflight.hosted import knows_a_limit
from trainyard.preflight.requests import Client

_SECOND = "a-second-model"


def manages(bench: Bench) -> Iterator[Finding]:
    client = bench.asking
    name = identifier(client.model)
    yield from _answered(client.load(client.model), 409, "loading a model that is loaded")
    yield from _lists(client, name)
    for method, path in (
        ("POST", "/models/unknown/invoke"), ("GET", "/models/unknown"), ("DELETE", "/models/unknown"),
    ):  # fmt: skip
        yield from _answered(client.ask(method, path), 404, f"{method} {path}")
    full = client.load(client.model, _SECOND)
    if full.status == 200 and not (bench.is_ours and knows_a_limit(bench)):
        yield Finding(
            rule="multi-model",
            severity="warning",
            message="whether 507 is answered when memory is full cannot be seen: the server does not know "
            "TRAINYARD_MAX_MODELS",
        )
        client.ask("DELETE", f"/models/{_SECOND}")
    else:
        yield from _answered(full, 507, "loading a second model where TRAINYARD_MAX_MODELS is 1")
    yield from _answered(client.ask("DELETE", f"/models/{name}"), 200, "unloading a model")
    yield from _answered(client.invoke(client.example), 404, "invoking a model that was unloaded")
    yield from _answered(client.load(client.model), 200, "loading a model that was unloaded")
    yield from _answered(client.invoke(client.example), 200, "invoking a model that was loaded again")


def _lists(client: Client, name: str) -> Iterator[Finding]:
    yield from _answered(client.ask("GET", f"/models/{name}"), 200, "GET of a loaded model")
    reply = client.ask("GET", "/models")
    try:
        names = [each["modelName"] for each in json.loads(reply.body)["models"]]
    except (ValueError, KeyError, TypeError):
        names = []
    if reply.status != 200 or name not in names:
        yield Finding(
            rule="multi-model",
            message=f"GET /models was answered with {reply.status}, {reply.body[:200]!r}; 200 and "
            f'{{"models": [{{"modelName": "{name[:8]}...", "modelUrl": ...}}]}} are needed',
        )


def _answered(reply: Reply, status: int, what: str) -> Iterator[Finding]:
    if reply.status != status:
        yield Finding(
            rule="multi-model",
            message=f"{what} was answered with {reply.status} instead of {status}: {reply.body[:200]!r}",
        )
