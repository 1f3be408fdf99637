"""Raw files as they come, CSV or Parquet, as one table of customer, timestamp and value."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import parsing
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from findings import Findings

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = (".parquet", ".pq")


class Refused(Exception):
    """Input that cannot be used at all; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Columns:
    customer: str
    timestamp: str
    value: str


@dataclass(frozen=True)
class Readings:
    """Rows as parallel arrays; ``code`` indexes ``customers`` (-1: none), ``ds`` may be NaT, ``y`` NaN.

    ``file`` (an index into ``files``) and ``row`` (from 1) say where a row came from.
    """

    customers: list[str]
    files: list[str]
    code: np.ndarray[Any, Any]
    ds: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    file: np.ndarray[Any, Any]
    row: np.ndarray[Any, Any]


def find(folder: Path) -> tuple[list[Path], list[Path]]:
    """The data files below a folder, and the other ones. Raises Refused when there is no data file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    data = [
        path
        for path in files
        if path.name.lower().endswith(CSV + PARQUET) and not path.name.startswith((".", "_"))
    ]
    if not data:
        there = f"only {', '.join(path.name for path in files[:5])}" if files else "nothing"
        raise Refused(f"no input data: {folder} holds {there}; files must end in {', '.join(CSV + PARQUET)}")
    return data, [path for path in files if path not in data]


def read(
    data: list[Path], folder: Path, columns: Columns, formats: parsing.Formats, findings: Findings
) -> Readings:
    """Read and parse all files. Raises Refused for a file that cannot be read or lacks a column."""
    codes: dict[str, int] = {}
    parts = []
    names = [str(path.relative_to(folder)) for path in data]
    for index, (path, name) in enumerate(zip(data, names, strict=True)):
        table, row = _table(path, name, columns, findings)
        place = parsing.Place(name, row, findings)
        code = parsing.codes(table[columns.customer], codes, place)
        try:
            ds = parsing.timestamps(table[columns.timestamp], formats, place)
        except parsing.DayFirst as error:
            raise Refused(
                f"{name}, column {columns.timestamp!r}: {error}; without a format, dates are read month first. "
                "Set --timestamp-format (TimestampFormat), for example %d/%m/%Y or %d.%m.%Y %H:%M"
            ) from error
        y = parsing.values(table[columns.value], formats, place)
        parts.append((code, ds, y, np.full(len(y), index, np.int32), row))
    arrays = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return Readings(list(codes), names, *arrays)


def _table(
    path: Path, name: str, columns: Columns, findings: Findings
) -> tuple[pa.Table, np.ndarray[Any, Any]]:
    """A file's three columns, and each row's number in the file."""
    wanted = [columns.customer, columns.timestamp, columns.value]
    skipped: list[int] = []
    try:
        if name.lower().endswith(PARQUET):
            _require(name, pa.parquet.read_schema(path).names, columns)
            table = pa.parquet.ParquetFile(path).read(columns=wanted)
        elif (header := _header(path)) is None:
            table = pa.table({column: pa.array([], pa.string()) for column in wanted})
        else:
            delimiter = max(",;\t|", key=header.count)
            _require(name, next(csv.reader([header], delimiter=delimiter)), columns)
            table = _read_csv(path, name, wanted, delimiter, skipped, findings)
        table = pa.table({column: _plain(table[column]) for column in wanted})
    except (pa.ArrowException, UnicodeDecodeError, zlib.error, EOFError, OSError) as error:
        raise Refused(f"{name} cannot be read: {' '.join(str(error).split())[:300]}") from error
    row = np.arange(1, table.num_rows + 1)
    for number in skipped:  # Arrow counts the header as row 1
        row[row >= number - 1] += 1
    return table, row


def _read_csv(
    path: Path, name: str, wanted: list[str], delimiter: str, skipped: list[int], findings: Findings
) -> pa.Table:
    swallowed: list[tuple[int, int]] = []

    def skip(line: pa.csv.InvalidRow) -> str:
        if "\n" in line.text.rstrip():
            swallowed.append((line.number - 1, line.text.rstrip().count("\n")))
        skipped.append(line.number)
        findings.add("malformed_line", 1, [{"file": name, "row": line.number - 1, "value": line.text[:200]}])
        return "skip"

    table = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),  # or lines have no numbers
        parse_options=pa.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=True,
            null_values=[""],  # "NA" may be a customer
        ),
    )
    if swallowed:
        row, lines = swallowed[0]
        raise Refused(
            f"{name} row {row}: a quote opens there and takes in {lines} more lines; remove or close it"
        )
    return table


def _header(path: Path) -> str | None:
    """The first line that is not empty, or None of an empty file."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
        while line := stream.readline(1 << 20):
            if header := line.decode("utf-8-sig").rstrip("\r\n"):
                return header
    return None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers, dates and timestamps as they are, anything else as text. Raises ArrowException if nested."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    return column if any(is_kind(kind) for is_kind in known) else column.cast(pa.string())


def _require(name: str, there: list[str], columns: Columns) -> None:
    wanted = {role: getattr(columns, role) for role in ("customer", "timestamp", "value")}
    wrong = {role: column for role, column in wanted.items() if there.count(column) != 1}
    if wrong:
        lacks = " and ".join(
            f"{'two columns' if column in there else 'no column'} {column!r} for the {role}"
            for role, column in wrong.items()
        )
        raise Refused(
            f"{name} has {lacks}; its columns are {', '.join(map(repr, there))}. "
            f"Set {' and '.join(f'--{role}-column' for role in wrong)} "
            f"(--set {' '.join(f'{role.title()}Column=…' for role in wrong)})"
        )
