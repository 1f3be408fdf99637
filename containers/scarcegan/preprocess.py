"""Turn the five inputs into scaled rows: splits and folds of labelled users, folds of unlabelled ones, a scaler."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import outputs
import quality
import scaling
import splitting
import tables
from findings import Findings
from telemetry import CLASSES, LABELED, UNLABELED, Reader, Refused

from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.opt_ml import OptMl


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    try:
        preprocess(parse(argv, opt_ml))
    except (Refused, splitting.TooFew, BadArgument, OSError) as error:
        print(f"preprocessing failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--user-column", default="user")
    add("--day-column", default="day", help="inputs without it are tables of ready features")
    add("--columns", default="", help="the counters or features to use, with commas; empty: all others")
    add("--on-nan", choices=("refuse", "drop", "zero"), default="refuse", help="rows with missing values")
    add("--on-constant", choices=("refuse", "drop", "keep"), default="refuse", help="features of one value")
    add("--on-conflict", choices=("refuse", "drop"), default="refuse", help="users with two labels")
    add("--transform", choices=scaling.TRANSFORMS, default="log1p", help="before features are scaled")
    add("--folds", type=between(2, 20, int), default=4)
    add("--validation-share", type=between(0.0, 0.5), default=0.1, help="of each class's users")
    add("--test-share", type=between(0.0, 0.5), default=0.2, help="of each class's users")
    add("--seed", type=between(0, 2**31 - 2, int), default=0, help="another one splits otherwise")
    for name in (*LABELED, UNLABELED):
        add(f"--{name.replace('_', '-')}", type=Path, default=opt_ml.processing / "input" / name)
    add("--output", type=Path, default=opt_ml.processing, help="the folder for all output folders")
    return parser.parse_args(argv)


def preprocess(arguments: argparse.Namespace) -> None:
    """Read, extract, split, scale, write. Raises Refused or TooFew; then only quality.json may be there."""
    began = time.perf_counter()
    findings = Findings(handling(arguments))
    wanted = tuple(name.strip() for name in arguments.columns.split(",") if name.strip())
    reader = Reader(findings, arguments.user_column, arguments.day_column, wanted, arguments.on_nan)
    report: dict[str, Any] = {
        "settings": {key: str(value) for key, value in vars(arguments).items() if not isinstance(value, Path)}
    }
    try:
        folders = {name: getattr(arguments, name) for name in (*LABELED, UNLABELED)}
        rules = tables.Rules(arguments.on_constant, arguments.on_conflict)
        report |= {"files": reader.files, "ignored_files": reader.ignored}
        table = tables.read(folders, reader, rules, report)
        plan = splitting.Plan(arguments.validation_share, arguments.test_share, arguments.folds)
        rank = splitting.ranks(list(reader.users), arguments.seed)[table.code]
        labeled, pool = np.flatnonzero(table.label >= 0), np.flatnonzero(table.label < 0)
        splits = splitting.split(rank[labeled], table.label[labeled], plan, CLASSES)
        rows = {name: labeled[getattr(splits, name)] for name in ("train", "validation", "test")}
        rows["unlabeled"] = pool
        counters = reader.columns if reader.is_telemetry else ()
        scaler = scaling.fit(table.values[rows["train"]], table.columns, arguments.transform, counters)
        data = {name: scaler(table.values[chosen]) for name, chosen in rows.items()}
        report |= {
            "columns": table.columns,
            "sizes": quality.class_sizes(rank, table.label, rows, CLASSES),
            "unlabeled": {"rows": len(pool), "users": len(np.unique(rank[pool]))},
            "outside": {name: quality.outside(each) for name, each in data.items()},
            "leakage": quality.leakage({name: rank[chosen] for name, chosen in rows.items()}, data),
        }
    finally:
        report["findings"] = findings.as_json()
        quality.write(report, arguments.output / "quality_output")
    names = np.array(list(reader.users))
    made = outputs.Made(
        scaler=scaler,
        data=data,
        label={name: table.label[chosen].astype(np.int32) for name, chosen in rows.items()},
        users={name: names[table.code[chosen]].tolist() for name, chosen in rows.items()},
        folds=splits.folds,
        unlabeled_folds=splitting.fold(rank[pool], table.label[pool], plan.folds),
    )
    outputs.write(made, arguments.output)
    print(tell(report, findings, time.perf_counter() - began), flush=True)


def handling(arguments: argparse.Namespace) -> dict[str, str]:
    """What is done about each kind of finding, in a word or two."""
    done = {"refuse": "refused", "drop": "dropped", "zero": "set to zero", "keep": "kept"}
    return {
        "no_user": "dropped",
        "missing_value": done[arguments.on_nan],
        "duplicate_day": "merged: mean",
        "missing_day": "left open",
        "short_history": "dropped",
        "labeled_twice": done[arguments.on_conflict],
        "labeled_and_unlabeled": "dropped",
        "constant_column": done[arguments.on_constant],
        "silent_feature": "left out",
    }


def tell(report: dict[str, Any], findings: Findings, seconds: float) -> str:
    sizes = {name: sum(each["users"] for each in split.values()) for name, split in report["sizes"].items()}
    return (
        f"{sum(report['rows_read'].values()):,} rows in {len(report['files']):,} files: {sizes['train']:,} users to "
        f"train, {sizes['validation']:,} to validate, {sizes['test']:,} to test, "
        f"{report['unlabeled']['users']:,} unlabelled, {len(report['columns'])} features, in {seconds:.1f} s; "
        f"found: {findings.tell() or 'nothing to mend'}"
        + (f"; not read: {', '.join(report['ignored_files'][:5])}" if report["ignored_files"] else "")
    )


if __name__ == "__main__":
    raise SystemExit(main())
