"""The registry's tables and its transactions; the file may hold other rooms' tables too."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trainyard.errors import DiskFull, RegistryError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS model_package_groups (
    name TEXT PRIMARY KEY, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model_packages (
    group_name TEXT NOT NULL REFERENCES model_package_groups (name), version INTEGER NOT NULL,
    created TEXT NOT NULL, request TEXT NOT NULL, metrics TEXT NOT NULL, token TEXT UNIQUE,
    PRIMARY KEY (group_name, version));
CREATE TABLE IF NOT EXISTS model_package_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_name TEXT NOT NULL, version INTEGER NOT NULL, members TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model_package_approvals (
    id INTEGER PRIMARY KEY, group_name TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    decided_by TEXT NOT NULL, reason TEXT NOT NULL, decided TEXT NOT NULL,
    FOREIGN KEY (group_name, version) REFERENCES model_packages (group_name, version));
"""
# what tables of older stores lack; last_version is the highest that was ever given, deleted ones included
_ADDED = {
    "model_package_groups": {"description": "TEXT", "last_version": "INTEGER NOT NULL DEFAULT 0"},
    "model_packages": {"modified": "TEXT"},
}


def make_tables(database: Path) -> None:
    with transaction(database) as connection:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        for table, columns in _ADDED.items():
            present = {row["name"] for row in connection.execute(f"PRAGMA table_info ({table})")}
            for column in columns.keys() - present:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {columns[column]}")


@contextmanager
def transaction(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one transaction, which waits for writers of other processes.

    Raises DiskFull, or RegistryError when the file cannot be used; nothing is changed then.
    """
    try:
        with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            use_wal(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise DiskFull(
                f"no space left for {database}; free some, or set TRAINYARD_HOME to a larger disk"
            ) from error
        raise RegistryError(f"the model registry in {database} cannot be used: {error}") from error


def use_wal(connection: sqlite3.Connection) -> None:
    """Make the file a WAL file, also where two do so at once: SQLite refuses one of them without waiting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
