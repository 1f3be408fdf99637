"""The five inputs as one table of features: who may be in it, and which columns say something."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import features
import numpy as np
from telemetry import LABELED, UNLABELED, Reader, Refused, Rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rules:
    """``on_constant``: refuse, drop, keep. ``on_conflict``: refuse, drop."""

    on_constant: str
    on_conflict: str


@dataclass(frozen=True)
class Table:
    """One row of features per user of telemetry, or as many as came in: ``code`` says whose, ``label`` which class
    (-1: none)."""

    code: Array
    label: Array
    values: Array
    columns: list[str]

    def take(self, rows: Array) -> Table:
        return Table(self.code[rows], self.label[rows], self.values[rows], self.columns)


def read(folders: dict[str, Path], reader: Reader, rules: Rules, report: dict[str, Any]) -> Table:
    """All inputs as one table of features, without users that may not be there; ``report`` grows.

    Raises Refused.
    """
    inputs: dict[str, Rows] = {}
    report["rows_read"] = {}
    for name in (*LABELED, UNLABELED):
        inputs[name] = reader.read(folders[name], name)
        report["rows_read"][name] = len(inputs[name].code)
    report["kind"] = "telemetry" if reader.is_telemetry else "features"
    report["input_columns"] = list(reader.columns)
    check_labeled(inputs)
    check_constant(inputs, reader, rules.on_constant)
    owner = owners(inputs, reader, rules.on_conflict)
    parts = []
    for label, name in enumerate(LABELED):
        rows = inputs.pop(name)
        parts.append(table_of(rows.take(np.flatnonzero(owner[rows.code] == label)), name, label, reader))
    rows = inputs.pop(UNLABELED)
    free = owner[rows.code] == -1
    reader.findings.add("labeled_and_unlabeled", UNLABELED, int((~free).sum()))
    parts.append(table_of(rows.take(np.flatnonzero(free)), UNLABELED, -1, reader))
    if not len(parts[-1].code):
        raise Refused(
            f"the input {UNLABELED} has no user that could be used; found: {reader.findings.tell() or 'no rows'}. "
            "Give users that have no label"
        )
    code, label, values = (
        np.concatenate([getattr(part, key) for part in parts]) for key in ("code", "label", "values")
    )
    return without_silent(Table(code, label, values, parts[0].columns), reader)


def without_silent(table: Table, reader: Reader) -> Table:
    """Telemetry may show no change point in any user's counter: features that never differ are left out."""
    differ = table.values.min(axis=0) < table.values.max(axis=0)
    if differ.all() or not reader.is_telemetry:
        return table
    silent = [column for column, told in zip(table.columns, differ, strict=True) if not told]
    reader.findings.add("silent_feature", "all", len(silent), ({"column": column} for column in silent))
    kept = np.flatnonzero(differ)
    return replace(table, values=table.values[:, kept], columns=[table.columns[index] for index in kept])


def check_labeled(inputs: dict[str, Rows]) -> None:
    """Raises Refused for a class without any row."""
    empty = [name for name in LABELED if not len(inputs[name].code)]
    if empty:
        raise Refused(f"the input {empty[0]} has no rows that could be used; each class needs some")


def owners(inputs: dict[str, Rows], reader: Reader, on_conflict: str) -> Array:
    """Each user's label: -1 without any, -2 where two inputs disagree and the user is dropped. Raises Refused."""
    names = list(reader.users)
    owner = np.full(len(names), -1)
    for label, name in enumerate(LABELED):
        users = np.unique(inputs[name].code)
        twice = users[owner[users] != -1]
        if len(twice) and on_conflict == "refuse":
            first = names[twice[0]]
            other = LABELED[owner[twice[0]]] if owner[twice[0]] >= 0 else "two others"
            raise Refused(
                f"user {first!r} is in {other} and in {name}, as are {len(twice) - 1:,} more: a user has one label. "
                "Remove them from one, or set --on-conflict drop (--set OnConflict=drop)"
            )
        reader.findings.add("labeled_twice", name, len(twice), ({"user": names[user]} for user in twice))
        owner[users] = np.where(owner[users] == -1, label, -2)
    return owner


def table_of(rows: Rows, name: str, label: int, reader: Reader) -> Table:
    """Features of one input. Raises Refused."""
    if rows.day is None:
        return Table(rows.code, np.full(len(rows.code), label), rows.values, list(reader.columns))
    names = list(reader.users)
    try:
        found = features.extract(rows.code, rows.day, rows.values)
    except features.TooLong as error:
        user, first, last = error.args
        raise Refused(
            f"{name}: user {names[user]!r} has days from {reader.written(first)} to {reader.written(last)}, more "
            f"than {features.MAX_SPAN:,} days. Correct or remove the stray day"
        ) from error
    findings = reader.findings
    findings.add("duplicate_day", name, found.merged)
    findings.add("missing_day", name, found.missing)
    short = zip(found.short.tolist(), found.short_days.tolist(), strict=True)
    findings.add(
        "short_history", name, len(found.short), ({"user": names[user], "days": days} for user, days in short)
    )
    return Table(found.code, np.full(len(found.code), label), found.values, features.columns(reader.columns))


def check_constant(inputs: dict[str, Rows], reader: Reader, on_constant: str) -> None:
    """Columns that say nothing: refused, or dropped from ``inputs`` and ``reader``. Raises Refused."""
    lowest, highest = (
        reduce([reduce(inputs[name].values, axis=0) for name in LABELED], axis=0)
        for reduce in (np.min, np.max)
    )
    flat = [column for column, same in zip(reader.columns, lowest == highest, strict=True) if same]
    reader.findings.add("constant_column", "labelled", len(flat), ({"column": column} for column in flat))
    if not flat or on_constant == "keep":
        return
    if on_constant == "refuse" or len(flat) == len(reader.columns):
        shown = ", ".join(map(repr, flat[:5])) + (f" and {len(flat) - 5:,} more" if len(flat) > 5 else "")
        ways = (
            "drop or keep (--set OnConstant=drop)"
            if len(flat) < len(reader.columns)
            else "keep, if it must be"
        )
        raise Refused(
            f"{len(flat)} of {len(reader.columns)} columns have one value in all labelled rows: {shown}. "
            f"Correct the inputs, or set --on-constant {ways}"
        )
    kept = [index for index, column in enumerate(reader.columns) if column not in set(flat)]
    reader.columns = tuple(reader.columns[index] for index in kept)
    for name, rows in inputs.items():
        inputs[name] = replace(rows, values=rows.values[:, kept])
