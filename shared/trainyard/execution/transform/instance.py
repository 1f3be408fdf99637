"""One instance of a transform job: the containers of its model, asked one after the other."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from trainyard.errors import DataError, EndpointError, Unsupported
from trainyard.execution.container import Invocation, Reply, message_of, open_stream, send
from trainyard.execution.hosting import ModelServer
from trainyard.execution.machine import Machine
from trainyard.execution.model_data import ModelError
from trainyard.execution.serving import containers_of, model_server
from trainyard.execution.transform.batches import MEGABYTE, BatchStrategy
from trainyard.execution.transform.request import MOST_MEGABYTES, TransformRequest

_PARAMETERS_SECONDS = 5.0
_PAUSE_SECONDS = 0.2  # before the first retry, doubled each time
_STRATEGIES: Mapping[str, BatchStrategy] = {"SINGLE_RECORD": "SingleRecord", "MULTI_RECORD": "MultiRecord"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How requests are made; ``max_bytes`` is None where they may be of any size. ``piped`` is for ``pipe``."""

    strategy: BatchStrategy = "MultiRecord"
    max_bytes: int | None = 6 * MEGABYTE
    at_once: int = 1
    piped: bool = False


class Instance:
    """``name`` is algo-1 and so on; its logs lie in the job's folder under names that begin with it.

    Raises EndpointError, Unsupported or StoreError for a model that cannot be served.
    """

    def __init__(
        self, machine: Machine, request: TransformRequest, model: Mapping[str, Any], name: str
    ) -> None:
        self.name = name
        self.halted = False
        self._request = request
        self._job = machine.store.job_folder(request.name)
        self._servers: list[ModelServer] = []
        self._logs: list[tuple[Path, Path]] = []
        where = f"model {request.model!r}"
        containers = containers_of(model, machine.store.registry)
        for number, container in enumerate(containers, 1):
            if container.get("Mode") == "MultiModel":
                raise Unsupported(
                    f"{where} is a multi-model one (Mode MultiModel), with which AWS transforms nothing"
                )
            own = {**(container.get("Environment") or {}), **request.environment}
            folder = self._job / f"instance-{name}" / str(number)
            server = model_server(
                machine, {**container, "Mode": "SingleModel", "Environment": own}, folder, where,
                request.platform_environment,
            )  # fmt: skip
            self._servers.append(server)
            log = name if len(containers) == 1 else f"{name}-container-{number}"
            self._show_log(folder / "algo-1.log", self._job / f"{log}.log")

    @property
    def logs(self) -> list[Path]:
        return [shown for _, shown in self._logs]

    def start(self) -> None:
        """Start the containers and wait until they answer. Raises EndpointError."""
        for server in self._servers:
            if self.halted:
                raise EndpointError("the job is being stopped")
            server.start()

    def stop(self) -> None:
        """Ask nothing more, end the containers."""
        self.halted = True
        for server in self._servers:
            server.stop()

    def close(self) -> None:
        """Stop, and delete the containers' files, but not their logs."""
        self.stop()
        for log, shown in self._logs:
            if log.is_file():
                log.replace(shown)
        shutil.rmtree(self._job / f"instance-{self.name}", ignore_errors=True)

    def settings(self) -> Settings:
        """The request's own, else what the container says to /execution-parameters, else AWS's defaults."""
        request, said = self._request, self._execution_parameters()
        payload = said.get("MaxPayloadInMB", 6) if request.max_payload is None else request.max_payload
        strategy = request.strategy or _STRATEGIES.get(str(said.get("BatchStrategy")), "MultiRecord")
        at_once = request.max_concurrent or said.get("MaxConcurrentTransforms") or 1
        return Settings(
            strategy="MultiRecord" if request.split == "None" else strategy,
            max_bytes=payload * MEGABYTE if payload else None,
            at_once=min(at_once, MOST_MEGABYTES),
            piped=not payload and request.as_it_is and len(self._servers) == 1,
        )

    def ask(self, payload: bytes) -> bytes:
        """The answer to one request, from container to container.

        Raises DataError for a request that the container refuses, EndpointError for one that it does not answer.
        """
        content_type = self._request.content_type
        for number, server in enumerate(self._servers, 1):
            last = number == len(self._servers)
            invocation = Invocation(
                body=payload, content_type=content_type, accept=self._request.accept if last else ""
            )
            send_it = partial(
                send, server.container, "POST", "/invocations", invocation, self._request.timeout
            )
            reply = self._answer(server, send_it)
            payload, content_type = reply.body, reply.content_type or content_type
        return payload

    def pipe(self, content: Callable[[], BinaryIO], place: Path) -> None:
        """As ``ask``, for one container and a request of any size: what ``content`` opens is sent in chunks.

        The answer is written to ``place``.
        """
        (server,) = self._servers
        invocation = Invocation(
            body=b"", content_type=self._request.content_type, accept=self._request.accept
        )

        def send_it() -> Reply:
            with content() as sent, place.open("wb") as output:
                streamed = open_stream(
                    server.container, "POST", "/invocations", invocation, self._request.timeout, sent
                )
                if streamed.status >= 300:
                    return Reply(status=streamed.status, body=b"".join(streamed.parts))
                output.writelines(streamed.parts)
            return Reply(status=streamed.status, body=b"")

        self._answer(server, send_it)

    def _answer(self, server: ModelServer, send_it: Callable[[], Reply]) -> Reply:
        """Tried again where that may help, InvocationsMaxRetries times."""
        for attempt in range(self._request.retries + 1):
            if self.halted:
                raise EndpointError("the job is being stopped")
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                reply = send_it()
            except ModelError as error:
                problem: EndpointError | DataError = EndpointError(str(error))
                if server.ended():
                    break
                continue
            if reply.status < 300:
                return reply
            problem = DataError(f"the container answered {reply.status}: {message_of(reply)[:500]}")
            if reply.status < 500 and reply.status != 429:
                break
        raise problem

    def _execution_parameters(self) -> dict[str, Any]:
        try:
            reply = send(
                self._servers[0].container, "GET", "/execution-parameters", None, _PARAMETERS_SECONDS
            )
            said = json.loads(reply.body) if reply.status == 200 else {}
        except (ModelError, ValueError):
            return {}
        if not isinstance(said, dict):
            return {}
        numbers = ("MaxPayloadInMB", "MaxConcurrentTransforms")
        return {key: value for key, value in said.items() if key not in numbers or _is_count(value)}

    def _show_log(self, log: Path, shown: Path) -> None:
        """Where logs are looked for; the container writes it in its own folder."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        shown.symlink_to(os.path.relpath(log, shown.parent))
        self._logs.append((log, shown))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
