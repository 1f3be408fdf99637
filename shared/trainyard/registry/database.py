"""The registry's tables and its transactions; the file may hold other rooms' tables too."""

from __future__ import annotations

import sqlite3
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
CREATE TABLE IF NOT EXISTS model_package_approvals (
    id INTEGER PRIMARY KEY, group_name TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    decided_by TEXT NOT NULL, reason TEXT NOT NULL, decided TEXT NOT NULL,
    FOREIGN KEY (group_name, version) REFERENCES model_packages (group_name, version));
"""


def make_tables(database: Path) -> None:
    with transaction(database) as connection:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)


@contextmanager
def transaction(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one transaction, which waits for writers of other processes.

    Raises DiskFull, or RegistryError when the file cannot be used; nothing is changed then.
    """
    try:
        with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
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
