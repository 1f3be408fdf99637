"""``trainyard executions``: what ran, or one execution with its steps."""

from __future__ import annotations

import argparse
import json
import time

from trainyard.cli import results
from trainyard.cli.table import table
from trainyard.execution.store import Store, describe_execution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("execution", nargs="?", help="show this one with its steps ('last' is the newest)")
    parser.add_argument("--limit", type=_limit, default=20, help="list at most so many (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    store = Store()
    if args.execution:
        document = results.result(store, args.execution)
        if args.json:
            print(json.dumps(document, indent=2))
        else:
            from trainyard.cli.summary import summary

            print(summary(document))
        return 0
    rows = store.executions(args.limit)
    if args.json:
        print(json.dumps([describe_execution(row, store.state.steps(row["id"])) for row in rows], indent=2))
        return 0
    if not rows:
        print("no executions yet; start one with: trainyard run FAMILY")
        return 0
    cells = [
        (
            row["id"],
            row["pipeline"],
            row["status"],
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["started"])),
            f"{row['ended'] - row['started']:.1f} s" if row["ended"] else "",
            (row["failure"] or "")[:80],
        )
        for row in rows
    ]
    print(table(("EXECUTION", "PIPELINE", "STATUS", "STARTED", "TOOK", "REASON"), cells))
    return 0


def _limit(text: str) -> int:
    return min(max(int(text), 1), 1_000_000)
