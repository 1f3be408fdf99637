"""Turn raw readings of many customers into one CSV per customer, with the last ``horizon`` readings held out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import cleaning
import parsing
import readings
import splitting
from findings import Findings

from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.opt_ml import OptMl


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    try:
        preprocess(parse(argv, opt_ml))
    except (readings.Refused, BadArgument, OSError) as error:
        print(f"preprocessing failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--customer-column", default="customer_id", help="whose reading")
    add("--timestamp-column", default="timestamp", help="when; ISO 8601, or as --timestamp-format says")
    add("--value-column", default="consumption", help="how much")
    add(
        "--horizon",
        type=between(1, 10_000, int),
        default=7,
        help="last readings of each customer to hold out",
    )
    add("--min-rows", type=between(2, 10**9, int), default=2, help="customers with fewer are excluded")
    add("--on-negative", choices=("keep", "drop", "zero"), default="keep", help="values below zero")
    add(
        "--on-duplicate",
        choices=("mean", "first", "last", "sum", "error"),
        default="mean",
        help="same time twice",
    )
    add(
        "--on-missing",
        choices=("drop", "interpolate", "zero"),
        default="drop",
        help="missing, unreadable values",
    )
    add("--timestamp-format", default="", help="a strptime format, for example %%d/%%m/%%Y %%H:%%M")
    add(
        "--timezone",
        type=time_zone,
        default="UTC",
        help="zoned timestamps become wall time there, others stay",
    )
    add("--decimal", choices=(".", ","), default=".", help="the decimal mark of values in text")
    for argument, folder in (
        ("--raw", "input/raw"),
        ("--train", "train"),
        ("--test", "test"),
        ("--quality", "quality"),
    ):
        add(argument, type=Path, default=opt_ml.processing / folder)
    return parser.parse_args(argv)


def time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone such as Europe/Madrid") from error


def preprocess(arguments: argparse.Namespace) -> None:
    """Read, clean, split, write. Raises readings.Refused; then only data_quality.json may be there."""
    began = time.perf_counter()
    rules = cleaning.Rules(
        arguments.on_negative,
        arguments.on_duplicate,
        arguments.on_missing,
        arguments.min_rows,
        arguments.horizon,
    )
    findings = Findings(handling(arguments))
    columns = readings.Columns(arguments.customer_column, arguments.timestamp_column, arguments.value_column)
    formats = parsing.Formats(arguments.timestamp_format, arguments.decimal, arguments.timezone)
    data, ignored = readings.find(arguments.raw)
    raw = readings.read(data, arguments.raw, columns, formats, findings)
    quality = {
        "settings": {
            key: str(value) for key, value in vars(arguments).items() if not isinstance(value, Path)
        },
        "files": {name: int((raw.file == index).sum()) for index, name in enumerate(raw.files)},
        "ignored_files": [str(path.relative_to(arguments.raw)) for path in ignored],
        "rows_read": len(raw.y),
    }
    try:
        clean = cleaning.clean(raw, rules, findings)
        quality |= splitting.summary(clean, raw.customers)
        if not quality["customers"]["test"]:
            longest, needed = int((clean.ends - clean.starts).max()), arguments.horizon + arguments.min_rows
            raise readings.Refused(
                f"nothing could be held out: the longest customer has {longest:,} usable readings, and a horizon "
                f"of {arguments.horizon:,} needs {needed:,}. Set a smaller --horizon (--set Horizon=…)"
            )
    finally:
        quality["findings"] = findings.as_json()
        arguments.quality.mkdir(parents=True, exist_ok=True)
        text = json.dumps(quality, indent=1, ensure_ascii=False)
        (arguments.quality / "data_quality.json").write_text(text, encoding="utf-8")
    splitting.write(clean, raw.customers, arguments.train, arguments.test)
    print(tell(quality, time.perf_counter() - began), flush=True)


def handling(arguments: argparse.Namespace) -> dict[str, str]:
    """What is done about each kind of finding, in one word or two."""
    missing = {"drop": "dropped", "interpolate": "interpolated in time", "zero": "set to zero"}
    negative = {"keep": "kept", "drop": "dropped", "zero": "set to zero"}
    return {
        "malformed_line": "dropped",
        "no_customer": "dropped",
        "unreadable_timestamp": "dropped",
        "zoned_timestamp": f"converted to {arguments.timezone}",
        "missing_value": missing[arguments.on_missing],
        "unreadable_value": missing[arguments.on_missing],
        "infinite_value": missing[arguments.on_missing],
        "negative_value": negative[arguments.on_negative],
        "duplicate": "refused" if arguments.on_duplicate == "error" else f"merged: {arguments.on_duplicate}",
        "gap": "left open",
    }


def tell(quality: dict[str, Any], seconds: float) -> str:
    found = [
        f"{finding['count']:,} {reason}"
        for reason, finding in quality["findings"].items()
        if finding["count"]
    ]
    files = "1 file" if len(quality["files"]) == 1 else f"{len(quality['files']):,} files"
    customers = quality["customers"]
    return (
        f"{quality['rows_read']:,} rows in {files}: {customers['train']:,} customers to train, "
        f"{customers['test']:,} to evaluate, {len(quality['excluded'])} excluded, in {seconds:.1f} s; "
        f"found: {', '.join(found) or 'nothing to mend'}"
        + (f"; not read: {', '.join(quality['ignored_files'][:5])}" if quality["ignored_files"] else "")
    )


if __name__ == "__main__":
    raise SystemExit(main())
