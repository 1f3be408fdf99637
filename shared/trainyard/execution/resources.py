"""What SageMaker calls resources - jobs, models, endpoints, pipelines -, each as its Describe answer, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from trainyard.errors import AlreadyExists, DiskFull, NotFound, StoreError
from trainyard.execution.state import explained, storable
from trainyard.registry.database import use_wal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, document TEXT NOT NULL, number INTEGER PRIMARY KEY,
    UNIQUE (kind, name));
"""

Document = dict[str, Any]

DIED = "InternalServerError: the process that ran it died"
UNRECORDED = "InternalServerError: its end could not be recorded"
STATUS = {
    "training-job": "TrainingJobStatus",
    "processing-job": "ProcessingJobStatus",
    "transform-job": "TransformJobStatus",
    "hyper-parameter-tuning-job": "HyperParameterTuningJobStatus",
}
"""The kinds of jobs, named as in their ARNs, and the member of each Describe answer that holds the status."""
UNDER_WAY = ("InProgress", "Stopping")
TAGS = "tags"
"""The kind of what AddTags adds: documents with Tags, named by ARNs."""


class Resources:
    """Documents by kind (as in ARNs: ``training-job``) and name; every call is one transaction.

    Documents are shaped as Describe answers, times in seconds since 1970. A job has an ``owner``, the process
    that runs it; where ``lost`` says of the owner and the job's kind and name why it does not run any more, the job
    is shown, and recorded, as Failed.
    """

    def __init__(
        self, database: Path, lost: Callable[[str, str, str], str] = lambda owner, kind, name: ""
    ) -> None:
        self._database = database
        self._lost = lost
        with self._transaction() as connection:
            connection.execute(_SCHEMA)

    def add(self, kind: str, name: str, document: Mapping[str, Any], *, owner: str = "") -> None:
        """Raises AlreadyExists where there is one of this kind and name."""
        with self._transaction() as connection:
            try:
                connection.execute(
                    "INSERT INTO resources (kind, name, owner, document) VALUES (?, ?, ?, ?)",
                    (kind, storable(name), owner, _encode(document)),
                )
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(f"there is a {kind} {name!r} already; choose another name") from error

    def get(self, kind: str, name: str) -> Document:
        """Raises NotFound."""
        found = self.find(kind, name)
        if found is None:
            raise NotFound(f"no {kind} {name!r}")
        return found

    def find(self, kind: str, name: str) -> Document | None:
        with self._transaction(write=False) as connection:
            row = connection.execute(
                "SELECT * FROM resources WHERE kind = ? AND name = ?", (kind, storable(name))
            ).fetchone()
        return None if row is None else self._judged(row)

    def all(self, kind: str) -> list[Document]:
        """In the order in which they were made."""
        with self._transaction(write=False) as connection:
            rows = connection.execute(
                "SELECT * FROM resources WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [self._judged(row) for row in rows]

    def change(self, kind: str, name: str, change: Callable[[Document], Mapping[str, Any]]) -> Document:
        """Put what ``change`` makes of the document in its place; nobody else changes it meanwhile.

        What ``change`` raises leaves everything as it was. Raises NotFound.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT document FROM resources WHERE kind = ? AND name = ?", (kind, storable(name))
            ).fetchone()
            if row is None:
                raise NotFound(f"no {kind} {name!r}")
            document = dict(change(json.loads(row["document"])))
            connection.execute(
                "UPDATE resources SET document = ? WHERE kind = ? AND name = ?",
                (_encode(document), kind, storable(name)),
            )
        return document

    def update(self, kind: str, name: str, **members: Any) -> Document:
        """Set members of the document, LastModifiedTime among them. Raises NotFound."""
        return self.change(
            kind, name, lambda document: {**document, "LastModifiedTime": time.time(), **members}
        )

    def remove(self, kind: str, name: str) -> Document:
        """Raises NotFound."""
        with self._transaction() as connection:
            row = connection.execute(
                "DELETE FROM resources WHERE kind = ? AND name = ? RETURNING document",
                (kind, storable(name)),
            ).fetchone()
        if row is None:
            raise NotFound(f"no {kind} {name!r}")
        document: Document = json.loads(row["document"])
        return document

    def _judged(self, row: sqlite3.Row) -> Document:
        document: Document = json.loads(row["document"])
        member = STATUS.get(row["kind"], "")
        if document.get(member) not in UNDER_WAY or not row["owner"]:
            return document
        reason = self._lost(row["owner"], row["kind"], row["name"])
        if not reason:
            return document

        def bury(now: Document) -> Document:
            return died(now, member, reason) if now.get(member) in UNDER_WAY else now

        try:
            return self.change(row["kind"], row["name"], bury)
        except (DiskFull, StoreError):
            return bury(document)  # shown so, and recorded when there is room again

    @contextmanager
    def _transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._database, timeout=60, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                use_wal(connection)
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield connection
                connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise explained(self._database, error) from error


def died(document: Document, member: str, reason: str) -> Document:
    """The document of a job that ended without a word; so did the trials of one that was tuning."""
    ended = moved(document, "Failed", reason)
    if counters := document.get("TrainingJobStatusCounters"):
        lost = counters["RetryableError"] + counters["InProgress"]
        ended = {**ended, "TrainingJobStatusCounters": {**counters, "InProgress": 0, "RetryableError": lost}}
    return {**ended, member: "Failed", "FailureReason": reason, "LastModifiedTime": time.time()}


def moved(document: Document, status: str, message: str) -> Document:
    """With the next SecondaryStatus and its transition; jobs of other kinds than training have none."""
    if "SecondaryStatus" not in document:
        return document
    now = time.time()
    passed = list(document.get("SecondaryStatusTransitions", ()))
    if passed:
        passed[-1] = {**passed[-1], "EndTime": now}
    entry = {"Status": status, "StartTime": now, "StatusMessage": message}
    return {**document, "SecondaryStatus": status, "SecondaryStatusTransitions": [*passed, entry]}


def _encode(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=True)
