"""Jobs as resources: recorded when they are accepted, found and stopped by name while they run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from trainyard.errors import Conflict, UserError
from trainyard.execution.request import ARN, StopSignal
from trainyard.execution.resources import DIED, STATUS, UNDER_WAY, UNRECORDED, Document, Resources, moved
from trainyard.execution.state import storable

Changes = Callable[[str, Document], None]
"""Takes the kind and the document of a job whose status, or SecondaryStatus, is another than before."""


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
        """Set members of what Describe answers; what has ended stays as it is."""
        self._change(lambda document: {**document, **members})

    def finish(self, document: Mapping[str, Any]) -> None:
        """Put the answer for the ended job in place; it keeps the time of its creation."""
        self._put(lambda begun: {**document, "CreationTime": begun["CreationTime"]})

    def withdraw(self) -> None:
        """Forget a job that could not be accepted after all."""
        self._recorder.forget(self)
        self._recorder.resources.remove(self.kind, self.name)

    def __enter__(self) -> Recording:
        try:
            self._recorder.tell(self.kind, {}, self._recorder.resources.get(self.kind, self.name))
            self._change(lambda document: moved(document, "Training", "Training in progress"))
        except BaseException:
            self._recorder.forget(self)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reason = str(error) if isinstance(error, UserError) else DIED
        reason = storable(reason)[:1024]
        member = STATUS[self.kind]
        try:
            self._change(
                lambda now: {**moved(now, "Failed", reason), member: "Failed", "FailureReason": reason}
            )
        finally:
            self._recorder.forget(self)

    def ask_to_stop(self) -> None:
        """Show the job as Stopping and give it its grace. Raises Conflict where it has ended."""
        member = STATUS[self.kind]

        def stopping(document: Document) -> Document:
            if document[member] not in UNDER_WAY:
                raise Conflict(
                    f"the {self.kind} {self.name!r} is {document[member]}; only one that runs can be stopped"
                )
            if document[member] == "Stopping":
                return document
            return {
                **moved(document, "Stopping", "Stopping the training job"),
                member: "Stopping",
                "LastModifiedTime": time.time(),
            }

        self._put(stopping)
        if not self.stop.requested:  # a second request would cut the grace short
            self.stop.request()

    def _change(self, change: Callable[[Document], Document]) -> None:
        """Change the document of a job that has not ended."""
        member = STATUS[self.kind]

        def changed(document: Document) -> Mapping[str, Any]:
            if document[member] not in UNDER_WAY:
                return document
            return {**change(document), "LastModifiedTime": time.time()}

        self._put(changed)

    def _put(self, change: Callable[[Document], Mapping[str, Any]]) -> None:
        before: Document = {}

        def remembering(document: Document) -> Mapping[str, Any]:
            before.update(document)
            return change(document)

        after = self._recorder.resources.change(self.kind, self.name, remembering)
        self._recorder.tell(self.kind, before, after)


class Recorder:
    """All jobs of this process; ``owner`` is what the resources know the process by.

    ``changes`` is told of every status from the moment on at which a job runs, in the thread that changed it.
    """

    def __init__(self, resources: Resources, owner: str) -> None:
        self.resources = resources
        self.changes: Changes = lambda kind, document: None
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
        if kind == "training-job":
            begun = moved({**begun, "SecondaryStatus": ""}, "Starting", "Starting the training job")
        recording = Recording(self, kind, name, parent)
        with self._lock:  # nobody finds the one without the other
            self.resources.add(kind, name, begun, owner=self._owner)
            self._running[kind, name] = recording
        return recording

    def find(self, kind: str, name: str) -> Recording:
        """A job of this process that has not ended. Raises NotFound, or Conflict for any other job."""
        with self._lock:
            recording = self._running.get((kind, name))
        if recording:
            return recording
        status = self.resources.get(kind, name)[STATUS[kind]]
        if status in UNDER_WAY:
            raise Conflict(f"the {kind} {name!r} runs in another process; stop it there, with Ctrl-C")
        raise Conflict(f"the {kind} {name!r} is {status}; only one that runs can be stopped")

    def stop(self, kind: str, name: str) -> None:
        """Ask a running job to stop; it has its grace, after which it is Stopped.

        Raises NotFound, or Conflict for a job that has ended or runs in another process.
        """
        self.find(kind, name).ask_to_stop()

    def interrupt(self, name: str) -> None:
        """Take a managed spot training job's instance away: it gets its grace, and starts again from its checkpoint.

        Raises NotFound, or Conflict for a job that does not run here or keeps its instances.
        """
        recording = self.find("training-job", name)
        if not self.resources.get("training-job", name).get("EnableManagedSpotTraining"):
            raise Conflict(
                f"the training job {name!r} is no managed spot training; "
                "only one with EnableManagedSpotTraining can be interrupted"
            )
        recording.stop.interrupt()

    def running(self) -> list[Recording]:
        with self._lock:
            return list(self._running.values())

    def tell(self, kind: str, before: Document, after: Document) -> None:
        """Tell ``changes`` of a document, where its status is another than before."""
        if any(before.get(member) != after.get(member) for member in (STATUS[kind], "SecondaryStatus")):
            self.changes(kind, after)

    def lost(self, kind: str, name: str) -> str:
        """Why a job of this process does not run; "" where it does."""
        with self._lock:  # one that begins is there as a whole, or not at all
            return "" if (kind, name) in self._running else UNRECORDED

    def forget(self, recording: Recording) -> None:
        with self._lock:
            self._running.pop((recording.kind, recording.name), None)
