"""``trainyard callback``: answer a callback step that waits, or list those that do."""

from __future__ import annotations

import argparse
import json
from datetime import datetime

from trainyard.cli.table import table
from trainyard.errors import UsageError
from trainyard.execution import callbacks
from trainyard.execution.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("token", nargs="?", help="the token of the message; without it, list what waits")
    parser.add_argument(
        "--output", metavar="NAME=VALUE", action="append", default=[], help="an output; may be repeated"
    )
    parser.add_argument("--fail", metavar="REASON", help="the step has failed, and why")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    store = Store()
    if args.token is None:
        return _list(store, args)
    if args.fail is not None and args.output:
        raise UsageError("callback: a step that failed has no outputs; give --output or --fail")
    if args.fail is not None:
        document = callbacks.fail(store, args.token, args.fail)
    else:
        document = callbacks.succeed(store, args.token, _outputs(args.output))
    print(
        json.dumps(document, indent=2) if args.json else f"step {document['StepName']}: {document['Status']}"
    )
    return 0


def _list(store: Store, args: argparse.Namespace) -> int:
    if args.output or args.fail is not None:
        raise UsageError("callback: give the token that you answer; `trainyard callback` lists them")
    found = callbacks.waiting(store)
    rows = [
        (
            document["CallbackToken"],
            document["StepName"],
            document["Execution"],
            ", ".join(str(output["OutputName"]) for output in document["Declared"]) or None,
            f"{datetime.fromtimestamp(document['CreationTime']):%Y-%m-%d %H:%M:%S}",
        )
        for document in found
    ]
    text = table(("TOKEN", "STEP", "EXECUTION", "OUTPUTS", "SINCE"), rows) if rows else "no step waits"
    print(json.dumps(found, indent=2) if args.json else text)
    return 0


def _outputs(texts: list[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"--output {text!r}: write NAME=VALUE")
        values[name] = value
    return values
