"""The platform's side of a serving container: what SageMaker does between an endpoint and the image's ``serve``.

Sources: AWS SageMaker Developer Guide, "Custom inference code with hosting services" and "Container
contract for multi-model endpoints" (mms-container-apis).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from trainyard.errors import EndpointError
from trainyard.execution.container import (
    ANSWER_SECONDS,
    Container,
    Invocation,
    Reply,
    Streamed,
    message_of,
    open_stream,
    send,
)
from trainyard.execution.model_data import ModelError, ModelPrefix, identifier
from trainyard.in_image.opt_ml import OptMl

START_SECONDS = 480.0
"""How long a container may take to answer /ping (AWS: 8 minutes)."""

TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"


@dataclass(frozen=True, kw_only=True)
class ModelState:
    name: str
    loaded: bool


@dataclass
class _Model:
    """``loading`` is held while the model is loaded or unloaded, so that others wait for it."""

    loaded: bool = False
    users: int = 0
    last_used: float = 0.0
    loading: threading.Lock = field(default_factory=threading.Lock)


class ModelServer:
    """Answers invocations from a container; with ``models``, from whichever of many models is asked for.

    Models are loaded on first use; when the container has no room left, the least recently used one
    that is idle makes place. Any number of threads may invoke at once.
    """

    def __init__(self, container: Container, models: ModelPrefix | None = None) -> None:
        self._container = container
        self._prefix = models
        self._models: dict[str, _Model] = {}
        self._changed = threading.Condition()
        self._changes = 0  # grows whenever a request has ended or a model is unloaded

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start the container and wait until it answers /ping. Raises EndpointError, with it stopped."""
        deadline = time.monotonic() + timeout
        try:
            self._container.start()
            while not self.healthy():
                if ended := self._container.ended():
                    raise EndpointError(f"the serving container ended before it answered /ping: {ended}")
                if time.monotonic() > deadline:
                    raise EndpointError(f"the serving container did not answer /ping within {timeout:g} s")
                time.sleep(0.02)
        except BaseException:  # Ctrl-C as well
            self._container.stop()
            raise

    def stop(self) -> None:
        self._container.stop()

    @property
    def container(self) -> Container:
        return self._container

    @property
    def multi_model(self) -> bool:
        return self._prefix is not None

    def ended(self) -> str:
        """Why the container is not running any more, or ""."""
        return self._container.ended()

    def healthy(self) -> bool:
        try:
            return send(self._container, "GET", "/ping", timeout=2.0).status == 200
        except ModelError:
            return False

    def models(self) -> list[ModelState]:
        """The models that can be asked for, and whether each is loaded."""
        names = list(self._prefix.names()) if self._prefix else []
        with self._changed:
            loaded = {name for name, model in self._models.items() if model.loaded}
        return [ModelState(name=name, loaded=name in loaded) for name in names]

    def invoke(self, invocation: Invocation) -> Reply:
        """The container's answer. Raises ModelError when there is none to be had; it names the model."""
        target = invocation.target_model
        if self._prefix is None:
            if target:
                raise ModelError(
                    400, f"{TARGET_MODEL} is {target!r}, but this endpoint serves one model only"
                )
            return send(self._container, "POST", "/invocations", invocation)
        if not target:
            raise ModelError(400, f"this endpoint serves many models; name one in {TARGET_MODEL}")
        with self._loaded(self._prefix, target):
            return send(self._container, "POST", f"/models/{identifier(target)}/invoke", invocation)

    def stream(self, invocation: Invocation) -> Streamed:
        """The container's answer as it comes. Raises ModelError, as the answer's parts may."""
        if self._prefix is not None:
            raise ModelError(400, "this endpoint serves many models, whose answers cannot be streamed")
        return open_stream(self._container, "POST", "/invocations", invocation)

    @contextmanager
    def _loaded(self, prefix: ModelPrefix, name: str) -> Iterator[None]:
        """The model is loaded, and stays so for as long as the context lasts."""
        prefix.find(name)
        with self._changed:
            model = self._models.setdefault(name, _Model())
            model.users += 1
        try:
            with model.loading:
                if not model.loaded:
                    prefix.unpack(name)
                    self._load(name)
                    model.loaded = True
            yield
        finally:
            model.last_used = time.monotonic()
            self._note_change(model, users=-1)

    def _load(self, name: str) -> None:
        url = (OptMl().models / identifier(name) / "model").as_posix()
        body = json.dumps({"model_name": identifier(name), "url": url}).encode()
        request = Invocation(body=body, content_type="application/json")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            changes = self._changes
            reply = send(self._container, "POST", "/models", request)
            if reply.status != 507 or not self._make_room(name, changes, deadline):
                break
        if reply.status not in (200, 409):  # 409: it is there already, which is what was wanted
            raise ModelError(reply.status, f"model {name!r} could not be loaded: {message_of(reply)}")

    def _make_room(self, name: str, changes: int, deadline: float) -> bool:
        """Unload the idle model that was used longest ago, or wait until something ``changes``.

        False when there is nothing to unload or to wait for.
        """
        with self._changed:
            others = [one for key, one in self._models.items() if key != name and (one.loaded or one.users)]
            self._changed.wait_for(
                lambda: self._changes != changes or not others or self._idle(), deadline - time.monotonic()
            )
            idle = self._idle()
            if not idle:
                return self._changes != changes and time.monotonic() < deadline
            victim = min(idle, key=lambda key: self._models[key].last_used)
            model = self._models[victim]
            model.loaded = False
            model.loading.acquire()  # nobody holds it, as nobody uses the model
        try:
            send(self._container, "DELETE", f"/models/{identifier(victim)}")
        finally:
            model.loading.release()
            self._note_change(model)
        return True

    def _idle(self) -> list[str]:
        return [name for name, model in self._models.items() if model.loaded and not model.users]

    def _note_change(self, model: _Model, users: int = 0) -> None:
        with self._changed:
            model.users += users
            self._changes += 1
            self._changed.notify_all()
