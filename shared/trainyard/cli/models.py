"""``trainyard models``: the local model registry, its versions side by side, and decisions on them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from trainyard.cli.notable import notable
from trainyard.cli.table import table
from trainyard.errors import NotFound, UsageError
from trainyard.execution.store import default_home
from trainyard.registry.packages import Registry, package_arn

_WIDEST = 37
DECISIONS = {"approve": "Approved", "reject": "Rejected"}
USAGE = """\
trainyard models [GROUP [VERSION]] [--json]
       trainyard models compare GROUP [VERSION ...] [--json]
       trainyard models approve|reject GROUP VERSION --by NAME --reason TEXT"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = USAGE
    parser.add_argument("words", nargs="*", metavar="GROUP, VERSION", help="all groups if there are none")
    parser.add_argument("--by", metavar="NAME", default="", help="who decides")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept with the decision")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    action = args.words[0] if args.words and args.words[0] in ("compare", *DECISIONS) else "show"
    group, *versions = args.words[action != "show" :] or [""]
    numbers = [_version(word) for word in versions]
    if (action != "show" and not group) or (action == "show" and len(numbers) > 1):
        raise UsageError(f"models {' '.join(args.words)}: the possible forms are\n       {USAGE}")
    database = default_home() / "state.sqlite3"
    if not database.exists():  # looking makes no store
        nothing = f"no models yet in {database.parent}; trainyard run registers them"
        if group:
            raise NotFound(f"no model package group {group!r}: {nothing}")
        print("[]" if args.json else nothing)
        return 0
    registry = Registry(database)
    if action in DECISIONS:
        return _decide(registry, group, numbers, args, DECISIONS[action])
    if action == "compare":
        return _compare(registry, group, numbers, args.json)
    if numbers:
        return _show(_package(registry, group, numbers[0]), args.json)
    return _versions(registry, group, args.json) if group else _groups(registry, args.json)


def _version(word: str) -> int:
    if not (word.isdecimal() and len(word) < 10):
        raise UsageError(f"version {word!r}: must be a number, as `trainyard models GROUP` lists them")
    return int(word)


def _groups(registry: Registry, as_json: bool) -> int:
    groups = registry.groups()
    names = ("ModelPackageGroupName", "versions", "latest", "approved", "CreationTime")
    rows = [[group[name] for name in names] for group in groups]
    _print(groups, table(("GROUP", "VERSIONS", "LATEST", "APPROVED", "CREATED"), rows), as_json)
    return 0


def _versions(registry: Registry, group: str, as_json: bool) -> int:
    versions = registry.versions(group)
    every = list(dict.fromkeys(name for each in versions for name in each["metrics"]))
    metrics = notable(every)
    named = any(each["model"] for each in versions)
    rows = [
        [each["version"], *([each["model"]] if named else []), each["status"], each["created"],
         *(each["metrics"].get(name) for name in metrics)]
        for each in versions
    ]  # fmt: skip
    header = ("VERSION", *(("MODEL",) if named else ()), "STATUS", "CREATED", *metrics)
    more = (
        f"\n\nall {len(every)} metrics: trainyard models compare {group}" if len(every) > len(metrics) else ""
    )
    _print(versions, table(header, rows) + more, as_json)
    return 0


def _package(registry: Registry, group: str, version: int) -> dict[str, Any]:
    arn = package_arn(group, version)
    return {
        **registry.describe(arn),
        "metrics": registry.metrics(arn),
        "approvals": registry.approvals(group, version),
    }


def _show(package: dict[str, Any], as_json: bool) -> int:
    names = ("ModelPackageArn", "CreationTime", "ModelApprovalStatus", "ModelPackageDescription")
    facts = {name: package[name] for name in names if name in package}
    rows = [*facts.items(), *package.get("CustomerMetadataProperties", {}).items()]
    metrics = table(("METRIC", "VALUE"), list(package["metrics"].items()))
    decisions = table(
        ("DECIDED", "STATUS", "BY", "REASON"),
        [
            (each["time"], each["status"], each["by"] or None, each["reason"] or None)
            for each in package["approvals"]
        ],
    )
    _print(package, f"{table(('', ''), rows).lstrip()}\n\n{metrics}\n\n{decisions}", as_json)
    return 0


def _compare(registry: Registry, group: str, versions: list[int], as_json: bool) -> int:
    """All versions where none are named; on paper, what is the same in all of them is marked."""
    versions = versions or [each["version"] for each in registry.versions(group)]
    rows = registry.compare(group, versions)
    lines = [
        [
            name,
            *map(_short, values),
            "same" if len(versions) > 1 and all(value == values[0] for value in values) else "",
        ]
        for name, values in rows.items()
    ]
    text = table((group, *(f"version {version}" for version in versions), ""), lines)
    _print({"group": group, "versions": versions, "rows": rows}, text, as_json)
    return 0


def _short(value: Any) -> Any:
    """Addresses and digests differ at their ends; --json has them whole."""
    return f"...{value[-_WIDEST:]}" if isinstance(value, str) and len(value) > _WIDEST + 3 else value


def _decide(
    registry: Registry, group: str, versions: list[int], args: argparse.Namespace, status: str
) -> int:
    if len(versions) != 1 or not args.by or not args.reason:
        raise UsageError(f"models {args.words[0]} needs a group, one version, --by NAME and --reason TEXT")
    registry.decide(group, versions[0], status, by=args.by, reason=args.reason)
    print(
        f"{group} version {versions[0]} is {status} by {args.by}",
        file=sys.stderr if args.json else sys.stdout,
    )
    if args.json:
        print(json.dumps(_package(registry, group, versions[0]), indent=2))
    return 0


def _print(document: Any, text: str, as_json: bool) -> None:
    print(json.dumps(document, indent=2) if as_json else text)
