"""Which models are loaded, as the one process knows it that the others ask: state, and messages in and out.

A worker asks ``{"id", "do", "name", "url"}`` and is answered ``{"id", "status", "message"}``. Loading is
``reserve``, then ``publish`` or ``release``; unloading is ``remove``. Before publishing or removing is answered,
every worker was told (``{"tell": "add" or "remove", "name", "url", "change"}``) and has answered
``{"did": change}``: whoever asks any worker afterwards finds it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


@dataclass
class _Change:
    """What all are being told of; ``waiting`` have not answered yet. Nobody waits for it where ``asker`` died."""

    name: str
    asker: int
    question: int
    waiting: set[int]


class Directory:
    """``max_models`` stands for memory: 0 is no limit."""

    def __init__(self, max_models: int = 0) -> None:
        self._max_models = max_models
        self._published: dict[str, str] = {}
        self._reserved: dict[str, tuple[int, str]] = {}  # who is loading it, from where
        self._leaving: set[str] = set()
        self._workers: set[int] = set()
        self._changes: dict[int, _Change] = {}
        self._counter = 0

    @property
    def published(self) -> Mapping[str, str]:
        """Where each loaded model lies, by its name."""
        return self._published

    def join(self, worker: int) -> None:
        """A new worker knows what is published now and is told of every change from now on."""
        self._workers.add(worker)

    def lose(self, worker: int) -> list[tuple[int, Message]]:
        """A worker has died: what it was loading is free again, and nobody waits for it."""
        self._workers.discard(worker)
        for name in [name for name, (owner, _) in self._reserved.items() if owner == worker]:
            del self._reserved[name]
        return [answer for change in list(self._changes) for answer in self._did(worker, change)]

    def handle(self, worker: int, message: Message) -> list[tuple[int, Message]]:
        """The messages that follow from one of a worker's, each with the worker it is for."""
        if "did" in message:
            return self._did(worker, message["did"])
        question, name, do = message["id"], message["name"], message["do"]
        answer: Message = {"status": 200}
        if do == "reserve":
            answer = self._reserve(worker, name, message["url"])
        elif do == "release":
            self._reserved.pop(name, None)
        elif do == "publish":
            _, url = self._reserved.pop(name)
            self._published[name] = url
            return self._tell(worker, question, {"tell": "add", "name": name, "url": url})
        elif name not in self._published:
            answer = {"status": 404, "message": not_loaded(name)}
        else:
            del self._published[name]
            self._leaving.add(name)
            return self._tell(worker, question, {"tell": "remove", "name": name})
        return [(worker, {"id": question} | answer)]

    def _reserve(self, worker: int, name: str, url: str) -> Message:
        count = len(self._published) + len(self._reserved) + len(self._leaving)
        if name in self._published or name in self._reserved:
            return {"status": 409, "message": f"model {name!r} is already loaded"}
        if name in self._leaving:
            return {"status": 409, "message": f"model {name!r} is being unloaded; try again"}
        if self._max_models and count >= self._max_models:
            return {"status": 507, "message": f"{count} models are loaded and no more fit; unload one first"}
        self._reserved[name] = (worker, url)
        return {"status": 200}

    def _tell(self, asker: int, question: int, message: Message) -> list[tuple[int, Message]]:
        self._counter += 1
        self._changes[self._counter] = _Change(message["name"], asker, question, set(self._workers))
        return [(worker, message | {"change": self._counter}) for worker in sorted(self._workers)]

    def _did(self, worker: int, number: int) -> list[tuple[int, Message]]:
        change = self._changes[number]
        change.waiting.discard(worker)
        if change.waiting:
            return []
        del self._changes[number]
        self._leaving.discard(change.name)
        return (
            [(change.asker, {"id": change.question, "status": 200})] if change.asker in self._workers else []
        )


def not_loaded(name: str) -> str:
    return f"model {name!r} is not loaded"
