"""The platform's side of a serving container: what SageMaker does between an endpoint and the image's ``serve``.

Sources: AWS SageMaker Developer Guide, "Custom inference code with hosting services" and "Container
contract for multi-model endpoints" (mms-container-apis).
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from trainyard.errors import EndpointError
from trainyard.execution.model_data import ModelError, ModelPrefix, identifier
from trainyard.in_image.opt_ml import OptMl

START_SECONDS = 480.0
"""How long a container may take to answer /ping (AWS: 8 minutes)."""
ANSWER_SECONDS = 60.0
"""How long it may take to answer a request (AWS: 60 s)."""

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """InvokeEndpoint's request; empty texts are headers that were not sent."""

    body: bytes
    content_type: str = ""
    accept: str = ""
    custom_attributes: str = ""
    target_model: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The container's answer, whatever its status."""

    status: int
    body: bytes
    content_type: str = ""
    custom_attributes: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelState:
    name: str
    loaded: bool


class Container(Protocol):
    """One process (or real container) that runs an image's ``serve``, with its port already chosen."""

    # where it answers, for example http://127.0.0.1:40001
    @property
    def url(self) -> str: ...

    # start it and return at once
    def start(self) -> None: ...

    # why it is not running any more (exit code, last line of its log), or "" while it runs
    def ended(self) -> str: ...

    # SIGTERM, up to 30 s of grace, SIGKILL; harmless when it has ended
    def stop(self) -> None: ...


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

    def stop(self) -> None: ...


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

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start the container and wait until it answers /ping. Raises EndpointError, with it stopped."""
        self._container.start()
        deadline = time.monotonic() + timeout
        while not self.healthy():
            if ended := self._container.ended():
                raise EndpointError(f"the serving container ended before it answered /ping: {ended}")
            if time.monotonic() > deadline:
                self._container.stop()
                raise EndpointError(
                    f"the serving container did not answer /ping within {timeout:g} s; stopped"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        self._container.stop()

    def ended(self) -> str:
        """Why the container is not running any more, or ""."""
        return self._container.ended()

    def healthy(self) -> bool:
        try:
            return self._send("GET", "/ping", timeout=2.0).status == 200
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
            return self._send("POST", "/invocations", invocation)
        if not target:
            raise ModelError(400, f"this endpoint serves many models; name one in {TARGET_MODEL}")
        with self._loaded(self._prefix, target):
            return self._send("POST", f"/models/{identifier(target)}/invoke", invocation)

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
            with self._changed:
                model.users -= 1
                model.last_used = time.monotonic()
                self._changed.notify_all()

    def _load(self, name: str) -> None:
        url = (OptMl().models / identifier(name) / "model").as_posix()
        body = json.dumps({"model_name": identifier(name), "url": url}).encode()
        request = Invocation(body=body, content_type="application/json")
        reply = self._send("POST", "/models", request)
        while reply.status == 507 and self._unload_one():
            reply = self._send("POST", "/models", request)
        if reply.status not in (200, 409):  # 409: it is there already, which is what was wanted
            raise ModelError(reply.status, f"model {name!r} could not be loaded: {message_of(reply)}")

    def _unload_one(self) -> bool:
        """Unload the idle model that was used longest ago, waiting for one; False when there is none."""
        deadline = time.monotonic() + ANSWER_SECONDS
        with self._changed:
            while not (idle := [name for name, one in self._models.items() if one.loaded and not one.users]):
                busy = any(one.loaded for one in self._models.values())
                if not busy or not self._changed.wait(deadline - time.monotonic()):
                    return False
            victim = min(idle, key=lambda name: self._models[name].last_used)
            model = self._models[victim]
            model.loaded = False
            model.loading.acquire()  # nobody holds it, as nobody uses the model
        try:
            self._send("DELETE", f"/models/{identifier(victim)}")
        finally:
            model.loading.release()
        return True

    def _send(
        self, method: str, path: str, request: Invocation | None = None, timeout: float = ANSWER_SECONDS
    ) -> Reply:
        """Raises ModelError: 503 when the container is not there, 504 when it takes too long."""
        connection = http.client.HTTPConnection(urlsplit(self._container.url).netloc, timeout=timeout)
        try:
            connection.request(method, path, request.body if request else None, _headers(request))
            response = connection.getresponse()
            return Reply(
                status=response.status,
                body=response.read(),
                content_type=response.getheader("Content-Type", ""),
                custom_attributes=response.getheader(CUSTOM_ATTRIBUTES, ""),
            )
        except TimeoutError as error:
            raise ModelError(504, f"the container did not answer within {timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            reason = self._container.ended() or str(error)
            raise ModelError(503, f"the container does not answer: {reason}") from error
        finally:
            connection.close()


def message_of(reply: Reply) -> str:
    """What a container's refusal says: the ``message`` of its JSON, or its text."""
    text = reply.body.decode("utf-8", "replace").strip()
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return str(content["message"]) if isinstance(content, dict) and "message" in content else text


def _headers(request: Invocation | None) -> dict[str, str]:
    if request is None:
        return {}
    headers = {
        "Content-Type": request.content_type,
        "Accept": request.accept,
        CUSTOM_ATTRIBUTES: request.custom_attributes,
    }
    return {name: value for name, value in headers.items() if value}
