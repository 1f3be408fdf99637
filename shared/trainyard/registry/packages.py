"""Model packages in SQLite, in SageMaker's shapes: registered, described, approved or rejected, compared."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainyard.errors import NotFound, RegistryError
from trainyard.registry.database import make_tables, transaction

ARN = "arn:aws:sagemaker:us-east-1:000000000000:"
STATUSES = ("Approved", "Rejected", "PendingManualApproval")

_GROUP_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_PACKAGE_ARN = re.compile(r"arn:aws[\w-]*:sagemaker:[\w-]+:\d{12}:model-package/([^/]+)/(\d{1,9})")


class Registry:
    """Model package groups and versions, kept in tables of their own in ``database``.

    Every method is one transaction on a connection of its own: processes and threads can share a registry.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        make_tables(database)

    def register(
        self, group: str, request: Mapping[str, Any], metrics: Mapping[str, float], token: str | None = None
    ) -> str:
        """Add the next version to a group, which is made if need be; returns the ModelPackageArn.

        ``request`` is shaped as CreateModelPackage's. With the ``token`` of an earlier call nothing is added,
        and that call's version is the answer (AWS: ClientToken). Raises RegistryError for a bad group name or status.
        """
        if not _GROUP_NAME.fullmatch(group):
            raise RegistryError(
                f"model package group {group!r}: must be 1 to 63 letters, digits and -, beginning and ending "
                "with a letter or digit"
            )
        status = _checked_status(str(request.get("ModelApprovalStatus", "PendingManualApproval")))
        now = _now()
        with transaction(self._database) as connection:
            earlier = connection.execute(
                "SELECT group_name, version FROM model_packages WHERE token = ?", (token,)
            ).fetchone()
            if earlier:
                return package_arn(*earlier)
            connection.execute("INSERT OR IGNORE INTO model_package_groups VALUES (?, ?)", (group, now))
            (version,) = connection.execute(
                "SELECT coalesce(max(version), 0) + 1 FROM model_packages WHERE group_name = ?", (group,)
            ).fetchone()
            connection.execute(
                "INSERT INTO model_packages VALUES (?, ?, ?, ?, ?, ?)",
                (group, version, now, json.dumps(request), json.dumps(metrics), token),
            )
            _decide(connection, group, version, status, "", "", now)
        return package_arn(group, version)

    def describe(self, arn: str) -> dict[str, Any]:
        """A version as DescribeModelPackage answers; raises NotFound."""
        group, version = parse_arn(arn)
        row = self._package(group, version)
        decision = self.approvals(group, version)[-1]
        return {
            **json.loads(row["request"]),
            "ModelPackageName": f"{group}/{version}",
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": package_arn(group, version),
            "CreationTime": row["created"],
            "LastModifiedTime": decision["time"],
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": decision["status"],
            **({"ApprovalDescription": decision["reason"]} if decision["reason"] else {}),
        }

    def metrics(self, arn: str) -> dict[str, float]:
        """The numbers a version was registered with; raises NotFound."""
        metrics: dict[str, float] = json.loads(self._package(*parse_arn(arn))["metrics"])
        return metrics

    def groups(self) -> list[dict[str, Any]]:
        """Each group by name, with its number of versions and the newest approved one (or None)."""
        query = """
            SELECT name, created, (SELECT max(version) FROM model_packages WHERE group_name = name) AS latest
            FROM model_package_groups ORDER BY name"""
        groups = []
        for row in self._select(query):
            versions = self.versions(row["name"])
            approved = [each["version"] for each in versions if each["status"] == "Approved"]
            groups.append(
                {
                    "ModelPackageGroupName": row["name"],
                    "ModelPackageGroupArn": f"{ARN}model-package-group/{row['name']}",
                    "ModelPackageGroupStatus": "Completed",
                    "CreationTime": row["created"],
                    "versions": len(versions),
                    "latest": row["latest"],
                    "approved": max(approved, default=None),
                }
            )
        return groups

    def versions(self, group: str) -> list[dict[str, Any]]:
        """The versions of a group, oldest first: version, arn, status, created, metrics; raises NotFound."""
        query = """
            SELECT version, created, metrics,
                (SELECT status FROM model_package_approvals AS approvals
                 WHERE approvals.group_name = packages.group_name AND approvals.version = packages.version
                 ORDER BY id DESC LIMIT 1) AS status
            FROM model_packages AS packages WHERE group_name = ? ORDER BY version"""
        rows = self._select(query, group)
        if not rows:
            names = [
                row["name"] for row in self._select("SELECT name FROM model_package_groups ORDER BY name")
            ]
            raise NotFound(f"no model package group {group!r}; there are: {', '.join(names) or 'none yet'}")
        return [
            {
                "version": row["version"],
                "arn": package_arn(group, row["version"]),
                "status": row["status"],
                "created": row["created"],
                "metrics": json.loads(row["metrics"]),
            }
            for row in rows
        ]

    def decide(self, group: str, version: int, status: str, *, by: str, reason: str) -> None:
        """Set a version's ModelApprovalStatus; who, why and when is kept with all earlier decisions.

        Raises NotFound for an unknown version, RegistryError for an unknown status or no name.
        """
        _checked_status(status)
        if not by.strip() or not reason.strip():
            raise RegistryError(f"{group} version {version}: a decision needs a name and a reason")
        self._package(group, version)
        with transaction(self._database) as connection:
            _decide(connection, group, version, status, by, reason, _now())

    def approvals(self, group: str, version: int) -> list[dict[str, str]]:
        """All decisions on a version, oldest first; the first is the status it was registered with."""
        query = """
            SELECT status, decided_by AS "by", reason, decided AS time FROM model_package_approvals
            WHERE group_name = ? AND version = ? ORDER BY id"""
        return [dict(row) for row in self._select(query, group, version)]

    def compare(self, group: str, versions: Sequence[int]) -> dict[str, list[Any]]:
        """What the versions are side by side: one list per metric, property and status, in their order.

        None stands where a version does not have it. Raises NotFound.
        """
        columns = []
        for version in versions:
            package = self.describe(package_arn(group, version))
            columns.append(
                {
                    "ModelApprovalStatus": package["ModelApprovalStatus"],
                    "CreationTime": package["CreationTime"],
                    **self.metrics(package["ModelPackageArn"]),
                    **package.get("CustomerMetadataProperties", {}),
                }
            )
        names = dict.fromkeys(name for column in columns for name in column)
        return {name: [column.get(name) for column in columns] for name in names}

    def _package(self, group: str, version: int) -> sqlite3.Row:
        query = "SELECT * FROM model_packages WHERE group_name = ? AND version = ?"
        for row in self._select(query, group, version):
            return row
        known = ", ".join(str(each["version"]) for each in self.versions(group))
        raise NotFound(f"model package group {group} has no version {version}; there are: {known}")

    def _select(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with transaction(self._database) as connection:
            return connection.execute(query, values).fetchall()


def package_arn(group: str, version: int) -> str:
    return f"{ARN}model-package/{group}/{version}"


def parse_arn(arn: str) -> tuple[str, int]:
    """(group, version) of a ModelPackageArn; raises NotFound for anything else."""
    match = _PACKAGE_ARN.fullmatch(arn)
    if not match:
        raise NotFound(f"no model package {arn!r}; an ARN looks like {package_arn('GROUP', 1)}")
    return match.group(1), int(match.group(2))


def _decide(
    connection: sqlite3.Connection, group: str, version: int, status: str, by: str, reason: str, time: str
) -> None:
    connection.execute(
        "INSERT INTO model_package_approvals (group_name, version, status, decided_by, reason, decided) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (group, version, status, by, reason, time),
    )


def _checked_status(status: str) -> str:
    if status not in STATUSES:
        raise RegistryError(f"ModelApprovalStatus {status!r}: must be one of {', '.join(STATUSES)}")
    return status


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
