"""Jobs as resources: recorded when they are accepted, found and stopped by name while they run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from trainyard.errors import Conflict, UserError
from trainyard.execution.request import ARN, StopSignal
from trainyard.execution.resources import DIED, STATUS, UNDER_WAY, Resources


class Recording:
    """One job from its acceptance on; as a context it is the time in which the job runs.

    ``stop`` is requested by the recorder's ``stop`` and by the ``parent`` signal. A context that ends without
    ``finish`` leaves the job Failed, with the exception's text where that is one for users.
    """

    def __init__(self, recorder: Recorder, kind: str, name: str, parent: StopSignal | None) -> None:
        self.kind, self.name = kind, name
        self.stop = StopSignal(parent)
        self._recorder = recorder

    def update(self, **members: Any) -> None:
        """Set members of what Describe answers."""
        self._recorder.resources.update(self.kind, self.name, **members)

    def finish(self, document: Mapping[str, Any]) -> None:
        """Put the answer for the ended job in place; it keeps the time of its creation."""
        self._recorder.resources.change(
            self.kind, self.name, lambda begun: {**document, "CreationTime": begun["CreationTime"]}
        )

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        member = STATUS[self.kind]
        reason = str(error) if isinstance(error, UserError) else DIED
        reason = reason.encode(errors="backslashreplace").decode()[:1024]

        def close(document: dict[str, Any]) -> dict[str, Any]:
            if document[member] not in UNDER_WAY:
                return document
            secondary = {"SecondaryStatus": "Failed"} if "SecondaryStatus" in document else {}
            now = time.time()
            return {
                **document,
                member: "Failed",
                "FailureReason": reason,
                "LastModifiedTime": now,
                **secondary,
            }

        self._recorder.forget(self)
        self._recorder.resources.change(self.kind, self.name, close)


class Recorder:
    """All jobs of this process; ``owner`` is what the resources know the process by."""

    def __init__(self, resources: Resources, owner: str) -> None:
        self.resources = resources
        self._owner = owner
        self._running: dict[tuple[str, str], Recording] = {}
        self._lock = threading.Lock()

    def begin(
        self, kind: str, name: str, document: Mapping[str, Any], parent: StopSignal | None = None
    ) -> Recording:
        """Record a job of a kind such as ``training-job`` as InProgress. Raises AlreadyExists."""
        now = time.time()
        begun = {
            **document,
            f"{STATUS[kind].removesuffix('Status')}Name": name,
            f"{STATUS[kind].removesuffix('Status')}Arn": f"{ARN}:{kind}/{name}",
            STATUS[kind]: "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        recording = Recording(self, kind, name, parent)
        self.resources.add(kind, name, begun, owner=self._owner)
        with self._lock:
            self._running[kind, name] = recording
        return recording

    def stop(self, kind: str, name: str) -> None:
        """Ask a running job to stop; it has its grace, after which it is Stopped.

        Raises NotFound, or Conflict for a job that has ended or runs in another process.
        """
        document = self.resources.get(kind, name)
        if document[STATUS[kind]] not in UNDER_WAY:
            raise Conflict(
                f"the {kind} {name!r} is {document[STATUS[kind]]}; only one that runs can be stopped"
            )
        with self._lock:
            recording = self._running.get((kind, name))
        if recording is None:
            raise Conflict(f"the {kind} {name!r} runs in another process; stop it there, with Ctrl-C")
        recording.update(**{STATUS[kind]: "Stopping"})
        recording.stop.request()

    def running(self) -> list[Recording]:
        with self._lock:
            return list(self._running.values())

    def forget(self, recording: Recording) -> None:
        with self._lock:
            self._running.pop((recording.kind, recording.name), None)
