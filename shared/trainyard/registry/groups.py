"""Model package groups: made, described, listed and, once they are empty, deleted."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainyard.errors import AlreadyExists, Conflict, NotFound, RegistryError
from trainyard.registry.database import make_tables, transaction

ARN = "arn:aws:sagemaker:us-east-1:000000000000:"

_GROUP_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_GROUPS = """
    SELECT name, created, description, count(packages.version) AS versions, max(packages.version) AS latest,
        max(CASE WHEN status = 'Approved' THEN packages.version END) AS approved
    FROM model_package_groups
    LEFT JOIN (SELECT group_name, version,
                   (SELECT status FROM model_package_approvals AS approvals
                    WHERE approvals.group_name = model_packages.group_name
                    AND approvals.version = model_packages.version ORDER BY id DESC LIMIT 1) AS status
               FROM model_packages) AS packages ON packages.group_name = name"""


class Groups:
    """Model package groups, kept in tables of their own in ``database``.

    Every method is one transaction on a connection of its own: processes and threads can share a registry.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        make_tables(database)

    def create_group(self, name: str, description: str | None = None) -> str:
        """Make an empty group; returns its ARN. Raises AlreadyExists, or RegistryError for a bad name."""
        _check_name(name)
        with transaction(self._database) as connection:
            try:
                connection.execute(
                    "INSERT INTO model_package_groups (name, created, description) VALUES (?, ?, ?)",
                    (name, now(), description),
                )
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(f"Model Package Group already exists: {group_arn(name)}") from error
        return group_arn(name)

    def describe_group(self, name: str) -> dict[str, Any]:
        """A group as DescribeModelPackageGroup answers, with what ``groups`` counts; raises NotFound."""
        for row in self._select(f"{_GROUPS} WHERE name = ? GROUP BY name", name):
            return _describe(row)
        names = [row["name"] for row in self._select("SELECT name FROM model_package_groups ORDER BY name")]
        raise NotFound(f"no model package group {name!r}; there are: {', '.join(names) or 'none yet'}")

    def groups(self) -> list[dict[str, Any]]:
        """Each group by name, with its number of versions, the latest and the newest approved one (or None)."""
        return [_describe(row) for row in self._select(f"{_GROUPS} GROUP BY name ORDER BY name")]

    def delete_group(self, name: str) -> None:
        """Raises NotFound, or Conflict for a group that still has versions."""
        found = self.describe_group(name)
        with transaction(self._database) as connection:
            try:
                connection.execute("DELETE FROM model_package_groups WHERE name = ?", (name,))
            except sqlite3.IntegrityError as error:
                raise Conflict(
                    f"Model Package Group {group_arn(name)} cannot be deleted: it still has "
                    f"{found['versions']} model packages; delete them first"
                ) from error

    def _select(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with transaction(self._database) as connection:
            return connection.execute(query, values).fetchall()


def need_group(connection: sqlite3.Connection, name: str) -> None:
    """Make a group unless there is one. Raises RegistryError for a bad name."""
    _check_name(name)
    connection.execute(
        "INSERT OR IGNORE INTO model_package_groups (name, created) VALUES (?, ?)", (name, now())
    )


def group_arn(name: str) -> str:
    return f"{ARN}model-package-group/{name}"


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _check_name(name: str) -> None:
    if not _GROUP_NAME.fullmatch(name):
        raise RegistryError(
            f"model package group {name!r}: must be 1 to 63 letters, digits and -, beginning and ending "
            "with a letter or digit"
        )


def _describe(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": row["name"],
        "ModelPackageGroupArn": group_arn(row["name"]),
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": row["created"],
        **({"ModelPackageGroupDescription": row["description"]} if row["description"] else {}),
        "versions": row["versions"],
        "latest": row["latest"],
        "approved": row["approved"],
    }
