from __future__ import annotations

import sqlite3

import pytest

from trainyard.errors import DiskFull, RegistryError
from trainyard.registry.database import make_tables, transaction


def test_tables_live_beside_those_of_others(tmp_path):
    database = tmp_path / "state.sqlite3"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE executions (id TEXT)")
    make_tables(database)
    make_tables(database)
    with transaction(database) as connection:
        names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert {"executions", "model_packages", "model_package_groups"} <= names


def test_nothing_of_a_failed_transaction_stays(tmp_path):
    database = tmp_path / "state.sqlite3"
    make_tables(database)
    with pytest.raises(KeyError), transaction(database) as connection:
        connection.execute("INSERT INTO model_package_groups (name, created) VALUES ('a', 'now')")
        raise KeyError
    with transaction(database) as connection:
        assert connection.execute("SELECT * FROM model_package_groups").fetchall() == []


def test_a_file_that_is_no_database_is_named(tmp_path):
    database = tmp_path / "state.sqlite3"
    database.write_text("not a database, but long enough to look like one" * 100)
    with pytest.raises(RegistryError, match=r"state\.sqlite3 cannot be used: file is not a database"):
        make_tables(database)


def test_a_full_disk_is_said_to_be_full(tmp_path):
    database = tmp_path / "state.sqlite3"
    make_tables(database)
    with pytest.raises(DiskFull, match="set TRAINYARD_HOME"), transaction(database) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        for number in range(1000):
            connection.execute(
                "INSERT INTO model_package_groups (name, created) VALUES (?, ?)", (str(number), "x" * 1000)
            )
