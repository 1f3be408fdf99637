"""Requests that changed what moto holds in memory, kept so that the next process can be told them again."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

from trainyard.execution.state import explained
from trainyard.local_aws.messages import Request
from trainyard.registry.database import use_wal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS moto_requests (
    number INTEGER PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
    headers TEXT NOT NULL, body BLOB NOT NULL);
"""
# What queues, streams and buses carry is gone with the process; what they are is not.
_CARRIED = {
    "DeleteMessage", "DeleteMessageBatch", "PutEvents", "PutLogEvents", "PutMetricData", "PutRecord",
    "PutRecordBatch", "PutRecords",
}  # fmt: skip
_CHANGES = re.compile(
    "Add|Associate|Attach|Create|Deactivate|Delete|Detach|Disable|Disassociate|Enable|Put|Remove|Set|Subscribe|"
    "Tag|Unsubscribe|Untag|Update|Upload|Initiate|Complete"
)


class Journal:
    """In a table of its own in ``database``; only requests of configuration are taken, messages are not.

    Its methods raise DiskFull, StoreBusy or StoreError.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        with self._transaction() as connection:
            use_wal(connection)
            connection.execute(_SCHEMA)

    def take(self, request: Request, body: bytes) -> None:
        """Keep a request that moto has done, if it is of a kind to be done again. Raises DiskFull or StoreError."""
        name = action(request, body)
        if name in _CARRIED or not _CHANGES.match(name):
            return
        kept = {key: request.headers[key] for key in _HEADERS if key in request.headers}
        row = (request.method, request.path, request.query, json.dumps(kept), body)
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO moto_requests (method, path, query, headers, body) VALUES (?, ?, ?, ?, ?)", row
            )

    def requests(self) -> Iterator[Request]:
        with self._transaction() as connection:
            rows = connection.execute("SELECT * FROM moto_requests ORDER BY number").fetchall()
        for _, method, path, query, headers, body in rows:
            yield Request(
                method=method, path=path, query=query, headers=json.loads(headers),
                stream=BytesIO(body), length=len(body),
            )  # fmt: skip

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._database, timeout=60)) as connection, connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise explained(self._database, error) from error


_HEADERS = ("authorization", "content-type", "host", "x-amz-target")


def action(request: Request, body: bytes) -> str:
    """The operation that a request names: in its target, its query or its form; "" for one of a REST service."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    for text in (request.query, body[:10_000].decode("latin-1")):
        found = parse_qs(text).get("Action")
        if found:
            return found[0]
    return ""
