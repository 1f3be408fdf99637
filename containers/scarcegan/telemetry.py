"""The five inputs as they come, CSV or Parquet: rows of user, day and counters, or of user and ready features."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import parsing
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from findings import Findings

Array = np.ndarray[Any, Any]

CLASSES = ("dormant", "normal", "heavy", "risky")  # a label is an index into these
LABELED = tuple(f"data_{name}" for name in CLASSES)
UNLABELED = "data_unlabeled"
CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = (".parquet", ".pq")


class Refused(Exception):
    """Input that cannot be used; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Rows:
    """Rows of one input as parallel arrays: ``code`` indexes the users; ``day`` is None for ready features."""

    code: Array
    day: Array | None
    values: Array

    def take(self, rows: Array) -> Rows:
        day = None if self.day is None else self.day[rows]
        return replace(self, code=self.code[rows], day=day, values=self.values[rows])


@dataclass
class Reader:
    """Reads inputs one after the other: they share their users, their columns and how days are written.

    ``wanted`` names the columns to use; empty: all but user and day, as the first file has them.
    ``on_nan``: refuse, drop, zero. Every method raises Refused.
    """

    findings: Findings
    user: str = "user"
    day: str = "day"
    wanted: tuple[str, ...] = ()
    on_nan: str = "refuse"
    users: dict[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    is_telemetry: bool = False
    files: dict[str, int] = field(default_factory=dict)  # rows by file
    ignored: list[str] = field(default_factory=list)
    _days: dict[str, str] = field(default_factory=dict)  # how they are written -> the first file that does so

    def read(self, folder: Path, name: str) -> Rows:
        """All files of the input ``name`` below ``folder``."""
        parts = [
            self._file(path, f"{name}/{path.relative_to(folder)}", name) for path in self._find(folder, name)
        ]
        code, values = (np.concatenate([getattr(part, key) for part in parts]) for key in ("code", "values"))
        day = np.concatenate([part.day for part in parts]) if self.is_telemetry else None
        rows = Rows(code, day, values)
        return rows if (code >= 0).all() else rows.take(np.flatnonzero(code >= 0))

    def written(self, day: int) -> str:
        """A day as the inputs have it."""
        return str(np.datetime64(day, "D")) if "dates" in self._days else str(day)

    def _find(self, folder: Path, name: str) -> list[Path]:
        if not folder.is_dir():
            raise Refused(
                f"the input {name} is missing: there is no folder {folder}; the five inputs are "
                f"{', '.join((UNLABELED, *LABELED))}, each a folder of {', '.join(CSV + PARQUET)} files"
            )
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        data = [
            path for path in files if path.name.lower().endswith(CSV + PARQUET) and path.name[0] not in "._"
        ]
        if not data:
            there = f"only {', '.join(path.name for path in files[:5])}" if files else "nothing"
            raise Refused(
                f"the input {name} has no data: {folder} holds {there}; files must end in {', '.join(CSV + PARQUET)}"
            )
        self.ignored += [f"{name}/{path.relative_to(folder)}" for path in files if path not in data]
        return data

    def _file(self, path: Path, name: str, input_name: str) -> Rows:
        try:
            table = self._table(path, name)
        except (pa.ArrowException, UnicodeDecodeError, zlib.error, EOFError, OSError) as error:
            raise Refused(f"{name} cannot be read: {' '.join(str(error).split())[:300]}") from error
        code = parsing.codes(table[self.user], self.users)
        self.findings.add("no_user", input_name, int((code < 0).sum()))
        day = None
        if self.is_telemetry:
            day, kind = self._column(table, self.day, name, parsing.days)
            self._check_days(kind, name)
        values = np.empty((table.num_rows, len(self.columns)))
        for index, column in enumerate(self.columns):
            values[:, index] = self._column(table, column, name, parsing.numbers)
        self.files[name] = table.num_rows
        return self._without_nan(Rows(code, day, values), name, input_name)

    def _table(self, path: Path, name: str) -> pa.Table:
        parquet = name.lower().endswith(PARQUET)
        if parquet:
            header = pa.parquet.read_schema(path).names
        else:
            line = _header(path)
            delimiter = max(",;\t|", key=line.count)
            header = next(csv.reader([line], delimiter=delimiter), [])
        self._check_columns(name, header)
        chosen = [self.user, *([self.day] if self.is_telemetry else []), *self.columns]
        if parquet:
            return _plain(pa.parquet.ParquetFile(path).read(columns=chosen))
        return _read_csv(path, chosen, delimiter, self.columns)

    def _check_columns(self, name: str, header: Sequence[str]) -> None:
        """The first file says which columns there are, and whether it is telemetry."""
        twice = sorted({column for column in header if header.count(column) > 1})
        if twice:
            raise Refused(f"{name} has two columns {twice[0]!r}; rename or remove one")
        there = ", ".join(map(repr, header)) or "none"
        if self.user not in header:
            raise Refused(
                f"{name} has no column {self.user!r} for the user; its columns are {there}. Rename it, or set "
                "--user-column (--set UserColumn=…)"
            )
        first = not self.columns
        if first:
            self.is_telemetry = self.day in header
            rest = [column for column in header if column not in (self.user, self.day)]
            self.columns = self.wanted or tuple(rest)
        keys = {self.user, *([self.day] if self.is_telemetry else [])}
        lacks = [column for column in (*keys, *self.columns) if column not in header]
        more = [column for column in header if column not in keys and column not in self.columns]
        if self.columns and not lacks and (not more or self.wanted):
            return
        wrong = [f"has no column {', '.join(map(repr, lacks))}"] if lacks else []
        wrong += (
            [f"has {', '.join(map(repr, more))}, which others have not"] if more and not self.wanted else []
        )
        rule = (
            "all files need the same columns"
            if first
            else f"all files need those of {next(iter(self.files))}"
        )
        raise Refused(
            f"{name} {' and '.join(wrong) or 'has no counters or features'}; its columns are {there}. {rule}: "
            f"user, day and counters, or user and features. Add, rename or remove columns, or name those to use "
            "with --columns (--set Columns=…)"
        )

    def _check_days(self, kind: str, name: str) -> None:
        if kind:
            self._days.setdefault(kind, name)
        if len(self._days) > 1:
            dates, plain = self._days["dates"], self._days["numbers"]
            raise Refused(
                f"days are dates in {dates}, but numbers in {plain}; write them alike in all inputs"
            )

    def _column(self, table: pa.Table, column: str, name: str, parse: Any) -> Any:
        try:
            return parse(table[column])
        except parsing.Unreadable as error:
            raise Refused(
                f"{name} row {error.index + 1:,}, column {column!r}: {error.value!r} {error.why}. Correct it"
                + ("" if self.wanted else ", or leave the column out with --columns (--set Columns=…)")
            ) from error

    def _without_nan(self, rows: Rows, name: str, input_name: str) -> Rows:
        missing = np.isnan(rows.values)
        wrong = np.flatnonzero(missing.any(axis=1))
        if not len(wrong):
            return rows
        index = int(wrong[0])
        column = self.columns[int(np.argmax(missing[index]))]
        if self.on_nan == "refuse":
            raise Refused(
                f"{name} row {index + 1:,}, column {column!r}: the value is missing (NaN), as in {len(wrong):,} "
                f"of {len(missing):,} rows. Fill them in, or set --on-nan drop or zero (--set OnNan=drop)"
            )
        self.findings.add(
            "missing_value", input_name, len(wrong), [{"file": name, "row": index + 1, "column": column}]
        )
        if self.on_nan == "zero":
            return replace(rows, values=np.where(missing, 0.0, rows.values))
        return rows.take(np.flatnonzero(~missing.any(axis=1)))


def _read_csv(path: Path, chosen: list[str], delimiter: str, numeric: Sequence[str]) -> pa.Table:
    """Arrow's fast way where all numbers are numbers; as text, to see which one is not, else."""
    coded = pa.dictionary(pa.int32(), pa.string())
    kinds = {column: pa.float64() if column in numeric else coded for column in chosen}

    def read(kinds: dict[str, pa.DataType], threads: bool) -> pa.Table:
        return pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(use_threads=threads),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
            convert_options=pa.csv.ConvertOptions(
                include_columns=chosen,
                column_types=kinds,
                null_values=parsing.MISSING,
                strings_can_be_null=False,
            ),
        )

    try:
        return read(kinds, threads=True)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):  # a header without an end of line
            return pa.table({column: pa.array([], pa.string()) for column in chosen})
        # one thread: only so does Arrow know the number of a line that is malformed
        return read(dict.fromkeys(chosen, pa.string()), threads=False)


def _header(path: Path) -> str:
    """The first line that is not empty, or "" of an empty file."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
        while line := stream.readline(1 << 20):
            if header := line.decode("utf-8-sig").rstrip("\r\n"):
                return header
    return ""


def _plain(table: pa.Table) -> pa.Table:
    """Numbers, dates and timestamps as they are, anything else as text. Raises ArrowException if nested."""
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        if not any(is_kind(column.type) for is_kind in known):
            column = column.cast(pa.string())
        table = table.set_column(index, name, column)
    return table
