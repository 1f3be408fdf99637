"""A worker's end of its connection to the process that keeps the directory: one JSON document per line."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.server.directory import Message

ALIVE = {"alive": True}
"""Asked of a worker, and its answer."""


class Channel:
    """Any number of threads may ask; one thread of its own reads what comes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._questions: dict[int, Future[Message]] = {}

    def listen(self, told: Callable[[Message], None] | None, ended: Callable[[], None]) -> None:
        """Begin to read: ``told`` of changes, ``ended`` when the other process is gone."""
        threading.Thread(target=self._read, args=(told, ended), name="channel", daemon=True).start()

    def ask(self, do: str, name: str, url: str = "") -> None:
        """Raises Refused with the answer's status, where it is not 200."""
        number, answer = next(self._numbers), Future[Message]()
        self._questions[number] = answer
        self.send({"id": number, "do": do, "name": name, "url": url})
        message = answer.result()
        if message["status"] != 200:
            raise Refused(message["status"], message["message"])

    def send(self, message: Message) -> None:
        with self._sending, suppress(OSError):  # the other process is gone, and this one is about to go
            self._connection.sendall(encode(message))

    def _read(self, told: Callable[[Message], None] | None, ended: Callable[[], None]) -> None:
        try:
            with suppress(OSError), self._connection.makefile("rb") as lines:
                for line in lines:
                    self._take(json.loads(line), told)
        finally:  # whatever happened: the others wait for this process's answers
            ended()
            for answer in list(self._questions.values()):
                answer.set_result({"status": 503, "message": "the server is ending"})

    def _take(self, message: Message, told: Callable[[Message], None] | None) -> None:
        if message == ALIVE:
            self.send(ALIVE)
        elif told and "tell" in message:
            told(message)
        else:
            self._questions.pop(message["id"]).set_result(message)


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
