"""The running variants of one deployment of an endpoint: its containers, from their start to their end."""

from __future__ import annotations

import random
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor as Threads
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainyard.errors import EndpointError
from trainyard.execution.capture import Capture
from trainyard.execution.container import Invocation, Reply, Streamed
from trainyard.execution.hosting import START_SECONDS, ModelServer
from trainyard.execution.machine import Machine
from trainyard.execution.model_data import ModelError
from trainyard.execution.serving import model_server
from trainyard.execution.store import Store


def log_folder(store: Store, endpoint: str) -> Path:
    """What the containers of an endpoint print is ``<variant>/<incarnation>/container-<n>/algo-1.log`` in here."""
    return store.home / "hosts" / endpoint


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who is to answer an invocation: empty texts leave it to the endpoint."""

    variant: str = ""
    container: str = ""
    inference_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer, and which variant's container gave it; AWS calls a single one ``primary``."""

    reply: Reply
    variant: str
    container: str = "primary"


class Variant:
    """A production variant: one server for each container of its model, asked one after the other or one alone."""

    def __init__(self, machine: Machine, plan: Mapping[str, Any], folder: Path) -> None:
        self.name = str(plan["VariantName"])
        self._machine, self._plan, self._folder = machine, plan, folder
        self._servers: list[ModelServer] = []
        self._stopped = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Return when every container answers /ping. Raises UserError, with all of them stopped."""
        try:
            for number, container in enumerate(self._plan["Containers"]):
                where = f"variant {self.name!r}, model {self._plan.get('ModelName')!r}"
                folder = self._folder / f"container-{number + 1}"
                server = model_server(self._machine, container, folder, where)
                with self._lock:
                    self._servers.append(server)
                    self._check()
                server.start(float(self._plan.get("StartSeconds") or START_SECONDS))
                self._check()  # a `stop` before the start of the container has found nothing to stop
        except BaseException:
            self.stop()
            raise

    def _check(self) -> None:
        if self._stopped:
            raise EndpointError(f"variant {self.name!r} was stopped before it answered /ping")

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            servers = list(self._servers)
        for server in servers:
            server.stop()
        for folder in self._folder.glob("container-*/algo-1"):  # the logs beside it stay
            shutil.rmtree(folder, ignore_errors=True)

    def ended(self) -> str:
        return next((reason for server in self._servers if (reason := server.ended())), "")

    def invoke(self, invocation: Invocation, container: str) -> Answered:
        """The answer, of the last container or of the first that refuses. Raises ModelError."""
        chosen = self._chosen(container)
        for number, server in chosen:
            reply = server.invoke(invocation)
            name = f"container-{number + 1}" if len(self._servers) > 1 else "primary"
            answered = Answered(reply=reply, variant=self.name, container=name)
            if reply.status >= 400:
                break
            invocation = replace(invocation, body=reply.body, content_type=reply.content_type)
        return answered

    def stream(self, invocation: Invocation, container: str) -> tuple[Streamed, str]:
        """The last container's answer as it comes, and the name of the one that gave it. Raises ModelError."""
        *before, (number, last) = self._chosen(container)
        for earlier, server in before:
            reply = server.invoke(invocation)
            if reply.status >= 400:
                parts = iter([reply.body])
                refusal = Streamed(status=reply.status, parts=parts, content_type=reply.content_type)
                return refusal, f"container-{earlier + 1}"
            invocation = replace(invocation, body=reply.body, content_type=reply.content_type)
        return last.stream(invocation), f"container-{number + 1}" if len(self._servers) > 1 else "primary"

    def _chosen(self, container: str) -> list[tuple[int, ModelServer]]:
        """All in a row (an inference pipeline), or the one of that ContainerHostname where they are asked directly."""
        servers = list(enumerate(self._servers))
        direct = self._plan.get("Mode") == "Direct"
        names = [each.get("ContainerHostname") for each in self._plan["Containers"]]
        if not direct and not container:
            return servers
        if not direct or container not in names:
            possible = (
                ", ".join(filter(None, names)) if direct else "none, as they are asked one after the other"
            )
            raise ModelError(
                400, f"TargetContainerHostname {container!r} cannot be asked; possible: {possible}"
            )
        return [servers[names.index(container)]]


class Fleet:
    """All variants of one ``deployment``, with the traffic's ``weights``, which may be changed at any time.

    Whoever asks has to ``enter`` before and ``leave`` after: ``retire`` lets those who are inside finish.
    """

    def __init__(
        self, machine: Machine, name: str, deployment: Mapping[str, Any], weights: Mapping[str, float]
    ) -> None:
        self.deployment, self.weights = deployment, dict(weights)
        plans = {plan["VariantName"]: plan for plan in deployment["ProductionVariants"]}
        folder, incarnation = log_folder(machine.store, name), secrets.token_hex(4)
        self._variants = {
            key: Variant(machine, plan, folder / key / incarnation) for key, plan in plans.items()
        }
        self._inside = 0
        self._closing = False
        self._changed = threading.Condition()
        config = deployment.get("DataCaptureConfig")
        self._capture: Capture | None = None
        if config and config.get("EnableCapture", True):
            self._capture = Capture(machine.store.objects, config, name)

    def start(self, threads: Threads) -> None:
        """Start all variants at once, in ``threads`` that must live as long as they: the kernel ends them with those.

        Raises UserError, with all of them stopped.
        """
        started = [threads.submit(variant.start) for variant in self._variants.values()]
        try:
            wait(started)
            for each in started:
                each.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        with self._changed:
            self._closing = True
        for variant in self._variants.values():
            variant.stop()
        if self._capture:
            self._capture.close()

    def ended(self) -> str:
        """Why one of the containers does not run any more, or ""."""
        return next((reason for each in self._variants.values() if (reason := each.ended())), "")

    def enter(self) -> bool:
        """Whether it still takes requests; then ``leave`` has to follow."""
        with self._changed:
            self._inside += not self._closing
            return not self._closing

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def retire(self, seconds: float) -> None:
        """Take no more requests, wait for those inside, at most so long, and stop."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._inside == 0, seconds)
        self.stop()

    def invoke(self, invocation: Invocation, asked: Asked) -> Answered:
        """Raises ModelError."""
        answered = self._choose(asked.variant).invoke(invocation, asked.container)
        self._note(invocation, answered, asked)
        return answered

    def stream(self, invocation: Invocation, asked: Asked) -> tuple[Streamed, str, str]:
        """The answer as it comes, its variant and its container. Raises ModelError, as the answer's parts may."""
        variant = self._choose(asked.variant)
        streamed, container = variant.stream(invocation, asked.container)

        def parts() -> Iterator[bytes]:
            taken = []
            for part in streamed.parts:
                taken.append(part if self._capture else b"")
                yield part
            reply = Reply(status=streamed.status, body=b"".join(taken), content_type=streamed.content_type)
            self._note(invocation, Answered(reply=reply, variant=variant.name), asked)

        return replace(streamed, parts=parts()), variant.name, container

    def _note(self, invocation: Invocation, answered: Answered, asked: Asked) -> None:
        if self._capture and answered.reply.status < 400:
            self._capture.take(answered.variant, invocation, answered.reply, asked.inference_id)

    def _choose(self, wanted: str) -> Variant:
        if wanted:
            with suppress(KeyError):
                return self._variants[wanted]
            raise ModelError(400, f"Variant {wanted} not found; the endpoint has {', '.join(self._variants)}")
        names, weights = list(self._variants), [self.weights.get(key, 0.0) for key in self._variants]
        if not sum(weights):
            raise ModelError(
                400, "all variants have the weight 0; give one some, or name one as TargetVariant"
            )
        return self._variants[random.choices(names, weights)[0]]
