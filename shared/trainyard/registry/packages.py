"""Model packages in SQLite, in SageMaker's shapes: registered, described, approved or rejected, compared."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainyard.errors import NotFound, RegistryError
from trainyard.registry.database import transaction
from trainyard.registry.groups import ARN, Groups, need_group, now

STATUSES = ("Approved", "Rejected", "PendingManualApproval")

_PACKAGE_ARN = re.compile(r"arn:aws[\w-]*:sagemaker:[\w-]+:\d{12}:model-package/([^/]+)/(\d{1,9})")


class Registry(Groups):
    """Model packages, each a version of a group, with every decision on them."""

    def register(
        self, group: str, request: Mapping[str, Any], metrics: Mapping[str, float], token: str | None = None
    ) -> str:
        """Add the next version to a group, which is made if need be; returns the ModelPackageArn.

        ``request`` is shaped as CreateModelPackage's. With the ``token`` of an earlier call nothing is added,
        and that call's version is the answer (AWS: ClientToken). Raises RegistryError for a bad group name or status.
        """
        status = _checked_status(str(request.get("ModelApprovalStatus", "PendingManualApproval")))
        created = now()
        with transaction(self._database) as connection:
            earlier = connection.execute(
                "SELECT group_name, version FROM model_packages WHERE token = ?", (token,)
            ).fetchone()
            if earlier:
                return package_arn(*earlier)
            need_group(connection, group)
            (version,) = connection.execute(
                "UPDATE model_package_groups SET last_version = 1 + max(last_version, "
                "(SELECT coalesce(max(version), 0) FROM model_packages WHERE group_name = name)) "
                "WHERE name = ? RETURNING last_version",
                (group,),
            ).fetchone()
            connection.execute(
                "INSERT INTO model_packages (group_name, version, created, request, metrics, token) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (group, version, created, json.dumps(request), json.dumps(metrics), token),
            )
            _decide(connection, group, version, status, "", "", created)
            _note(connection, group, version, ())
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
            "LastModifiedTime": max(decision["time"], row["modified"] or ""),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": decision["status"],
            **({"ApprovalDescription": decision["reason"]} if decision["reason"] else {}),
        }

    def metrics(self, arn: str) -> dict[str, float]:
        """The numbers a version was registered with; raises NotFound."""
        metrics: dict[str, float] = json.loads(self._package(*parse_arn(arn))["metrics"])
        return metrics

    def versions(self, group: str) -> list[dict[str, Any]]:
        """The versions of a group, oldest first: version, arn, model, status, created, metrics; raises NotFound.

        ``model`` is the property ModelKey of versions that are one of several models of a job, else "".
        """
        query = """
            SELECT version, created, request, metrics,
                (SELECT status FROM model_package_approvals AS approvals
                 WHERE approvals.group_name = packages.group_name AND approvals.version = packages.version
                 ORDER BY id DESC LIMIT 1) AS status
            FROM model_packages AS packages WHERE group_name = ? ORDER BY version"""
        rows = self._select(query, group)
        if not rows:
            self.describe_group(group)
        return [
            {
                "version": row["version"],
                "arn": package_arn(group, row["version"]),
                "model": json.loads(row["request"]).get("CustomerMetadataProperties", {}).get("ModelKey", ""),
                "status": row["status"],
                "created": row["created"],
                "metrics": json.loads(row["metrics"]),
            }
            for row in rows
        ]

    def decide(self, group: str, version: int, status: str, *, by: str, reason: str | None) -> None:
        """Set a version's ModelApprovalStatus; who, why and when is kept with all earlier decisions.

        The ``reason`` is the ApprovalDescription; None where AWS's API was given none. Raises NotFound for an
        unknown version, RegistryError for an unknown status or no name.
        """
        _checked_status(status)
        if not by.strip() or (reason is not None and not reason.strip()):
            raise RegistryError(f"{group} version {version}: a decision needs a name and a reason")
        self._package(group, version)
        with transaction(self._database) as connection:
            _decide(connection, group, version, status, by, reason or "", now())
            _note(connection, group, version, ("ModelApprovalStatus",))

    def update(
        self,
        arn: str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        members: Sequence[str],
    ) -> None:
        """Put what ``change`` makes of a version's request in its place; ``members`` are those that it changes.

        What ``change`` raises leaves everything as it was. Raises NotFound.
        """
        group, version = parse_arn(arn)
        self._package(group, version)
        with transaction(self._database) as connection:
            row = connection.execute(
                "SELECT request FROM model_packages WHERE group_name = ? AND version = ?", (group, version)
            ).fetchone()
            connection.execute(
                "UPDATE model_packages SET request = ?, modified = ? WHERE group_name = ? AND version = ?",
                (json.dumps(change(json.loads(row["request"]))), now(), group, version),
            )
            _note(connection, group, version, members)

    def delete(self, arn: str) -> None:
        """Remove a version and the decisions on it; its number is not given again. Raises NotFound."""
        group, version = parse_arn(arn)
        self._package(group, version)
        with transaction(self._database) as connection:
            connection.execute(
                "UPDATE model_package_groups SET last_version = max(last_version, ?) WHERE name = ?",
                (version, group),
            )
            for table in ("model_package_approvals", "model_packages"):
                connection.execute(
                    f"DELETE FROM {table} WHERE group_name = ? AND version = ?", (group, version)
                )

    def changes(self, after: int) -> list[tuple[int, str, list[str]]]:
        """What was registered, decided or updated behind a number, by any process: number, ARN, members.

        The list of members is empty for a new version.
        """
        query = "SELECT * FROM model_package_changes WHERE id > ? ORDER BY id"
        return [
            (row["id"], package_arn(row["group_name"], row["version"]), json.loads(row["members"]))
            for row in self._select(query, after)
        ]

    def last_change(self) -> int:
        """The number of the newest change; 0 before the first."""
        (row,) = self._select("SELECT coalesce(max(id), 0) AS last FROM model_package_changes")
        return int(row["last"])

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
        known = ", ".join(str(each["version"]) for each in self.versions(group)) or "none"
        raise NotFound(f"model package group {group} has no version {version}; there are: {known}")


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


def _note(connection: sqlite3.Connection, group: str, version: int, members: Sequence[str]) -> None:
    connection.execute(
        "INSERT INTO model_package_changes (group_name, version, members) VALUES (?, ?, ?)",
        (group, version, json.dumps(members)),
    )
