"""``trainyard logs``: what a step's job printed, and prints."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from trainyard.errors import NotFound
from trainyard.execution.logs import LogFollower
from trainyard.execution.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("execution", help="an execution, or 'last'")
    parser.add_argument("step", help="the step's name")
    parser.add_argument("--follow", action="store_true", help="go on printing until the step ends")
    parser.add_argument("--json", action="store_true", help="print an object per line: host and line")


def run(args: argparse.Namespace) -> int:
    store = Store()
    execution = store.execution(args.execution)["id"]
    steps = {step["name"]: step for step in store.state.steps(execution)}
    if args.step not in steps:
        raise NotFound(
            f"no step {args.step!r} in execution {execution}; it has: {', '.join(steps) or 'none yet'}"
        )
    row = steps[args.step]
    if row["cache_source"]:
        source = store.state.step(row["cache_source"], args.step)
        row = source or row
    if not row["job"]:
        raise NotFound(f"step {args.step!r} of execution {execution} is no job, so it has no log")
    followers: dict[
        Path, LogFollower
    ] = {}  # a log comes into being when its host starts, perhaps long after now

    def show(host: str, line: str) -> None:
        if args.json:
            sys.stdout.write(json.dumps({"host": host, "line": line}) + "\n")
        else:
            sys.stdout.write(f"{host}  {line}\n" if len(followers) > 1 else f"{line}\n")

    while True:
        running = args.follow and (store.state.step(execution, args.step) or row)["status"] == "Executing"
        running = running and store.execution(execution)["status"] == "Executing"
        for log in store.logs(row["job"]):
            follower = followers.setdefault(log, LogFollower([log], [], on_line=show))
            follower.read(final=not running)
        sys.stdout.flush()
        if not running:
            return 0
        time.sleep(0.2)
