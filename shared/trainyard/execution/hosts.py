"""Endpoints served from this process: deployed, changed while they serve, found by name, deleted.

Sources: AWS API reference, "CreateEndpoint", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trainyard.errors import DiskFull, EndpointError, NotFound, StoreError, UserError
from trainyard.execution.container import ANSWER_SECONDS, Invocation, Streamed
from trainyard.execution.endpoint_records import LOCK, SERVING, EndpointRecords, weights
from trainyard.execution.fleet import Answered, Asked, Fleet
from trainyard.execution.machine import Machine
from trainyard.execution.model_data import ModelError
from trainyard.execution.resources import DIED, Document

_THREADS = 64
_TRUST_SECONDS = 1.0  # how long requests go without a look whether another process has changed the endpoint

Deploying = Callable[[], str]
"""Starts what was asked for, which takes a while; the answer is why that failed, or ""."""


@dataclass
class _Live:
    """One endpoint in this process. ``changing`` is held while containers are started for it."""

    fleet: Fleet | None = None
    starting: Fleet | None = None
    checked: float = 0.0
    changing: threading.Lock = field(default_factory=threading.Lock)


class Hosts:
    """The endpoints of a store; one container of a variant's model stands for any number of instances.

    A fleet of containers is there from its deployment on. In a process that comes later, it is started when the
    endpoint is asked for first. ``close`` ends all containers; the endpoints stay recorded.
    """

    def __init__(self, new_machine: Callable[[], Machine]) -> None:
        self._new_machine = new_machine
        self._store = new_machine().store
        self.records = EndpointRecords(self._store)
        self._lives: dict[str, _Live] = {}
        self._lock = threading.Lock()
        self._retiring: set[Fleet] = set()
        self._closed = False
        # threads that live as long as this does: the kernel ends a container with the thread that started it
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="host")

    def create(self, name: str, config: str, more: Mapping[str, Any] | None = None) -> Deploying:
        """Record an endpoint as Creating, with ``more`` in its document.

        Raises NotFound for the config or a model, or AlreadyExists, with nothing recorded.
        """
        self.records.create(name, config, more or {})
        return partial(self._deploy, name)

    def update(
        self,
        name: str,
        config: str,
        keep: frozenset[str] = frozenset(),
        more: Mapping[str, Any] | None = None,
    ) -> Deploying:
        """Record an endpoint as Updating; what it has serves until the new containers answer, or for good if not.

        ``keep`` names what variants keep that stay (VariantPropertyType). Raises NotFound, or Conflict while it
        is not InService, with nothing changed.
        """
        self.records.update(name, config, keep, more or {})
        return partial(self._deploy, name)

    def share(self, name: str, desired: Mapping[str, Mapping[str, Any]]) -> None:
        """Set weights and instance counts by variant, from the next request on; raises as ``records.share``."""
        document = self.records.share(name, desired)
        if fleet := self._live(name).fleet:
            fleet.weights = weights(document)

    def delete(self, name: str) -> Callable[[], None]:
        """Record an endpoint as Deleting: it takes no more requests. The answer ends its containers.

        Raises NotFound.
        """
        self.records.delete(name)
        live = self._live(name)
        fleet, live.fleet = live.fleet, None

        def end() -> None:
            self.cancel(name)
            with live.changing:
                late, live.fleet = live.fleet, None
                for each in filter(None, (fleet, late)):
                    each.retire(ANSWER_SECONDS)
                self._recorded(partial(self.records.remove, name))

        return end

    def cancel(self, name: str) -> None:
        """End the containers that are being started for an endpoint, whose deployment fails then."""
        if starting := self._live(name).starting:
            starting.stop()

    def invoke(self, name: str, invocation: Invocation, asked: Asked) -> Answered:
        """Raises ModelError."""
        with self._inside(name) as fleet:
            return fleet.invoke(invocation, asked)

    @contextmanager
    def stream(self, name: str, invocation: Invocation, asked: Asked) -> Iterator[tuple[Streamed, str, str]]:
        """An answer as it comes, its variant and its container, for as long as the context lasts.

        Raises ModelError, as the answer's parts may.
        """
        with self._inside(name) as fleet:
            yield fleet.stream(invocation, asked)

    def close(self) -> None:
        self._closed = True
        with self._lock:
            served = [
                fleet for live in self._lives.values() for fleet in (live.fleet, live.starting) if fleet
            ]
            fleets = {*served, *self._retiring}
        with ThreadPoolExecutor(len(fleets) or 1) as enders:
            list(enders.map(Fleet.stop, fleets))
        self._threads.shutdown()

    def _live(self, name: str) -> _Live:
        with self._lock:
            return self._lives.setdefault(name, _Live())

    @contextmanager
    def _inside(self, name: str) -> Iterator[Fleet]:
        while not (fleet := self._fleet(name)).enter():  # it was replaced just now
            self._check_open()
        try:
            yield fleet
        finally:
            fleet.leave()

    def _fleet(self, name: str) -> Fleet:
        """What answers for an endpoint now; started first where nothing does. Raises ModelError."""
        known = self._lives.get(name)
        if known is None or known.fleet is None:
            self._serving(name)  # absent or being created: refused, with nothing kept of it
        live, now = self._live(name), time.monotonic()
        fleet = live.fleet
        if fleet is not None and now - live.checked > _TRUST_SECONDS:
            document, live.checked = self._serving(name), now
            fleet.weights = weights(document)
            fleet = fleet if fleet.deployment == document["Deployment"] else None
        if fleet is not None and not fleet.ended():
            return fleet
        with live.changing:
            document, fleet = self._serving(name), live.fleet
            if fleet is not None and fleet.deployment == document["Deployment"] and not fleet.ended():
                return fleet
            try:
                new = self._started(name, live, document)
            except UserError as error:
                raise ModelError(500, f"endpoint {name} cannot be served: {error}") from error
            live.fleet, live.checked = new, time.monotonic()
        self._retire(fleet)
        return new

    def _serving(self, name: str) -> Document:
        """The document of an endpoint that takes requests. Raises ModelError in AWS's words."""
        try:
            document = self.records.get(name)
        except NotFound:
            raise ModelError(400, f"Endpoint {name} of account 000000000000 not found.") from None
        if document["EndpointStatus"] not in SERVING:
            reason = f"; it is {document['EndpointStatus']}"
            raise ModelError(400, f"Endpoint {name} of account 000000000000 not found{reason}.")
        return document

    def _deploy(self, name: str) -> str:
        live = self._live(name)
        with live.changing:
            try:
                with self._store.living(name, LOCK):
                    pending = self.records.get(name).get("Pending")
                    if pending is None:
                        raise EndpointError(f"endpoint {name} was changed by somebody else meanwhile")
                    new = self._started(name, live, pending)
                    try:
                        self.records.serve(name, pending)
                    except UserError:
                        new.stop()
                        raise
            except UserError as error:
                if not self._closed:  # or it is judged when the store is served again
                    self._recorded(partial(self.records.give_up, name, str(error)))
                return str(error)
            except BaseException:
                self._recorded(partial(self.records.give_up, name, DIED))
                raise
            old, live.fleet, live.checked = live.fleet, new, time.monotonic()
        self._retire(old)
        return ""

    def _recorded(self, write: Callable[[], None]) -> None:
        """Write how a change ended, once a second while the disk is full, for which nobody waits."""
        try:
            write()
        except (DiskFull, StoreError):
            if not self._closed:
                later = threading.Timer(1.0, self._recorded, [write])
                later.daemon = True
                later.start()

    def _started(self, name: str, live: _Live, document: Document) -> Fleet:
        """A new fleet for what the document says. Raises UserError."""
        fleet = Fleet(self._new_machine(), name, document["Deployment"], weights(document))
        live.starting = fleet
        try:
            self._check_open()
            fleet.start(self._threads)
        finally:
            live.starting = None
        return fleet

    def _retire(self, old: Fleet | None) -> None:
        """Let those who are being answered have their answers, without anybody waiting for that."""
        if old is None:
            return

        def retire() -> None:
            old.retire(ANSWER_SECONDS)
            with self._lock:
                self._retiring.discard(old)

        with self._lock:
            self._retiring.add(old)
        threading.Thread(target=retire, name="retire", daemon=True).start()

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError(503, "the local endpoint is being shut down")
