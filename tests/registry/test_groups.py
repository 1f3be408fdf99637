from __future__ import annotations

import sqlite3

import pytest

from trainyard.errors import AlreadyExists, Conflict, NotFound, RegistryError
from trainyard.registry.packages import Registry

OLDER = """
CREATE TABLE model_package_groups (name TEXT PRIMARY KEY, created TEXT NOT NULL);
CREATE TABLE model_packages (
    group_name TEXT NOT NULL REFERENCES model_package_groups (name), version INTEGER NOT NULL,
    created TEXT NOT NULL, request TEXT NOT NULL, metrics TEXT NOT NULL, token TEXT UNIQUE,
    PRIMARY KEY (group_name, version));
INSERT INTO model_package_groups VALUES ('old', '2026-01-01T00:00:00Z');
INSERT INTO model_packages VALUES ('old', 4, '2026-01-01T00:00:00Z', '{}', '{}', NULL);
"""


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "state.sqlite3")


def test_an_empty_group_is_made_listed_and_deleted(registry):
    arn = registry.create_group("a", "the first")
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/a"
    (found,) = registry.groups()
    assert found == registry.describe_group("a")
    assert (found["ModelPackageGroupArn"], found["ModelPackageGroupDescription"]) == (arn, "the first")
    assert (found["versions"], found["latest"], found["approved"]) == (0, None, None)
    assert registry.versions("a") == []
    registry.delete_group("a")
    assert registry.groups() == []
    with pytest.raises(NotFound, match="no model package group 'a'; there are: none yet"):
        registry.delete_group("a")


def test_what_cannot_be_is_refused(registry):
    registry.register("a", {}, {})
    with pytest.raises(AlreadyExists, match=r"Model Package Group already exists: arn:aws:.*/a$"):
        registry.create_group("a")
    with pytest.raises(RegistryError, match="1 to 63 letters"):
        registry.create_group("a_b")
    with pytest.raises(Conflict, match="still has 1 model packages"):
        registry.delete_group("a")
    assert registry.describe_group("a")["latest"] == 1


def test_groups_count_what_is_approved(registry):
    for _ in range(3):
        registry.register("a", {}, {})
    registry.decide("a", 1, "Approved", by="Ada", reason="good")
    registry.decide("a", 2, "Approved", by="Ada", reason="good")
    registry.decide("a", 2, "Rejected", by="Bob", reason="bad")
    found = registry.describe_group("a")
    assert (found["versions"], found["latest"], found["approved"]) == (3, 3, 1)


def test_stores_of_earlier_versions_are_read(tmp_path):
    database = tmp_path / "state.sqlite3"
    with sqlite3.connect(database) as connection:
        connection.executescript(OLDER)
    registry = Registry(database)
    assert registry.describe_group("old")["latest"] == 4
    assert registry.register("old", {}, {}).endswith("/old/5")
