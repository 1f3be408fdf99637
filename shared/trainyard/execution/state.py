"""What happened, in SQLite (WAL): executions, their steps, and digests of stored files."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainyard.errors import DiskFull, StoreBusy, StoreError, UserError
from trainyard.execution.s3 import StoredObject, file_digest
from trainyard.registry.database import use_wal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, definition TEXT NOT NULL,
    parameters TEXT NOT NULL, options TEXT NOT NULL, started REAL NOT NULL, ended REAL, failure TEXT);
CREATE TABLE IF NOT EXISTS steps (
    execution TEXT NOT NULL REFERENCES executions(id), name TEXT NOT NULL, kind TEXT NOT NULL,
    status TEXT NOT NULL, attempts INTEGER NOT NULL, job TEXT, started REAL, ended REAL, failure TEXT,
    result TEXT, metadata TEXT, cache_key TEXT, cache_source TEXT, cache_note TEXT, outputs TEXT,
    selected_from TEXT, iteration TEXT, PRIMARY KEY (execution, name));
CREATE INDEX IF NOT EXISTS steps_by_name ON steps (name, status, ended);
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL);
"""

# Columns of steps that stores made by earlier versions lack: the execution that a selective one took a result
# from, and IterationContext.
_NEW_COLUMNS = ("selected_from", "iteration")
_JSON_COLUMNS = {
    "definition", "parameters", "options", "result", "metadata", "cache_key", "outputs", "iteration",
}  # fmt: skip

Row = dict[str, Any]


def explained(database: Path, error: sqlite3.DatabaseError) -> UserError:
    """What an error of SQLite means to people: DiskFull, StoreBusy or StoreError."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return DiskFull(f"no space left for {database}; free some, or set TRAINYARD_HOME to a larger disk")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{database} is in use by others: {error}")
    return StoreError(f"{database} cannot be used: {error}")


def storable(text: str) -> str:
    """Text that the database takes: a JSON string may hold half a surrogate pair."""
    return text.encode(errors="backslashreplace").decode()


class State:
    """One connection per thread to the store's database; every write is its own transaction."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._local = threading.local()
        with self._transaction() as connection:
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN IMMEDIATE")  # or two see that a column is missing
            there = {row["name"] for row in connection.execute("PRAGMA table_info(steps)")}
            for name in _NEW_COLUMNS:
                if name not in there:
                    connection.execute(f"ALTER TABLE steps ADD COLUMN {name} TEXT")

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._database, timeout=60)
            connection.row_factory = sqlite3.Row
            use_wal(connection)
            self._local.connection = connection
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
            with connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise explained(self._database, error) from error

    def add_execution(
        self, execution: str, pipeline: str, definition: Mapping[str, Any], parameters: Row, options: Row
    ) -> None:
        row = {
            "id": execution, "pipeline": pipeline, "status": "Executing", "definition": definition,
            "parameters": parameters, "options": options, "started": time.time(),
        }  # fmt: skip
        self._insert("executions", row)

    def update_execution(self, execution: str, **columns: Any) -> None:
        self._update("executions", columns, {"id": execution})

    def execution(self, execution: str) -> Row | None:
        return next(iter(self._select("SELECT * FROM executions WHERE id = ?", execution)), None)

    def executions(self, limit: int = 100, pipeline: str = "") -> list[Row]:
        """The newest first; those of one pipeline, or of all."""
        which, values = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        return self._select(f"SELECT * FROM executions {which} ORDER BY started DESC LIMIT ?", *values, limit)

    def mark_stopping(self, execution: str) -> bool:
        """An execution that is Executing becomes Stopping; whether it was."""
        with self._transaction() as connection:
            done = connection.execute(
                "UPDATE executions SET status = 'Stopping' WHERE id = ? AND status = 'Executing'", [execution]
            )
        return done.rowcount > 0

    def start_step(self, execution: str, name: str, kind: str, **columns: Any) -> None:
        """Record that a step begins; an earlier attempt of the same step is replaced and counted."""
        earlier = self.step(execution, name)
        row = {
            "execution": execution, "name": name, "kind": kind, "status": "Executing",
            "attempts": (earlier["attempts"] if earlier else 0) + 1, "started": time.time(), **columns,
        }  # fmt: skip
        self._insert("steps", row)

    def update_step(self, execution: str, name: str, **columns: Any) -> None:
        self._update("steps", columns, {"execution": execution, "name": name})

    def step(self, execution: str, name: str) -> Row | None:
        rows = self._select("SELECT * FROM steps WHERE execution = ? AND name = ?", execution, name)
        return rows[0] if rows else None

    def steps(self, execution: str) -> list[Row]:
        """In the order in which they started."""
        return self._select("SELECT * FROM steps WHERE execution = ? ORDER BY started, rowid", execution)

    def last_success(self, pipeline: str, name: str) -> Row | None:
        """The most recent run of a step of this pipeline that really ran (not a cache hit) and succeeded."""
        rows = self._select(
            "SELECT steps.* FROM steps JOIN executions ON executions.id = steps.execution "
            "WHERE pipeline = ? AND name = ? AND steps.status = 'Succeeded' AND cache_source IS NULL "
            "AND cache_key IS NOT NULL ORDER BY steps.ended DESC LIMIT 1",
            pipeline,
            name,
        )
        return rows[0] if rows else None

    def last_result(self, pipeline: str, name: str) -> Row | None:
        """The most recent success of a step of this pipeline, from the cache or not."""
        rows = self._select(
            "SELECT steps.* FROM steps JOIN executions ON executions.id = steps.execution "
            "WHERE pipeline = ? AND name = ? AND steps.status = 'Succeeded' ORDER BY steps.ended DESC LIMIT 1",
            pipeline,
            name,
        )
        return rows[0] if rows else None

    def successes(self, pipeline: str, name: str, cache_key: Any) -> list[Row]:
        """All successful real runs of a step with exactly this key, the newest first."""
        return self._select(
            "SELECT steps.* FROM steps JOIN executions ON executions.id = steps.execution "
            "WHERE pipeline = ? AND name = ? AND steps.status = 'Succeeded' AND cache_source IS NULL "
            "AND cache_key = ? ORDER BY steps.ended DESC",
            pipeline,
            name,
            _encode(cache_key),
        )

    def digests(self, objects: list[StoredObject]) -> list[str]:
        """sha256 of each object; files that have not changed since the last time are not read again."""
        known = {row["path"]: row for row in self._known_digests(objects)}
        result, fresh = [], []
        for item in objects:
            stat = item.path.stat()
            row = known.get(str(item.path))
            mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            if row is None or (row["size"], row["modified"], row["inode"]) != mark:
                digest = file_digest(item.path)
                fresh.append((str(item.path), *mark, digest))
            else:
                digest = row["sha256"]
            result.append(digest)
        if fresh:
            with self._transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", fresh)
        return result

    def _known_digests(self, objects: list[StoredObject]) -> Iterator[Row]:
        for start in range(0, len(objects), 500):
            paths = [str(item.path) for item in objects[start : start + 500]]
            marks = ",".join("?" * len(paths))
            yield from self._select(f"SELECT * FROM digests WHERE path IN ({marks})", *paths)

    def _insert(self, table: str, row: Row) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with self._transaction() as connection:
            values = [_encode(value) if name in _JSON_COLUMNS else value for name, value in row.items()]
            connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)

    def _update(self, table: str, columns: Row, key: Row) -> None:
        settings = ", ".join(f"{name} = ?" for name in columns)
        where = " AND ".join(f"{name} = ?" for name in key)
        values = [_encode(value) if name in _JSON_COLUMNS else value for name, value in columns.items()]
        with self._transaction() as connection:
            connection.execute(f"UPDATE {table} SET {settings} WHERE {where}", [*values, *key.values()])

    def _select(self, query: str, *values: Any) -> list[Row]:
        with self._transaction() as connection:
            rows = connection.execute(query, values).fetchall()
        return [{name: _decode(name, row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118


def _encode(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)


def _decode(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON_COLUMNS and value is not None else value
