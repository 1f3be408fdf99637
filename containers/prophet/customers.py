"""One file per customer: what it is called, and how it is read."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import plain_csv

if TYPE_CHECKING:
    import numpy as np

_PLAIN = plain_csv.Reader()
MAX_STEM = 180  # bytes; file systems allow 255, and suffixes and temporary names come on top


def file_stem(customer: str) -> str:
    """A customer's id as a file name without suffix: only ``[A-Za-z0-9_.%-]``, never hidden, never a path.

    Everything else is percent-encoded. A longer one is cut and ends in 16 digits of the id's sha256.
    """
    stem = quote(customer, safe="").replace("~", "%7E")
    if stem.startswith("."):
        stem = "%2E" + stem[1:]
    if len(stem) <= MAX_STEM:
        return stem
    digest = hashlib.sha256(customer.encode()).hexdigest()[:16]
    return re.sub(r"%.?$", "", stem[: MAX_STEM - 17]) + "-" + digest


def customer_of(stem: str) -> str:
    """The id behind a stem; of one that was cut, only what is left of it."""
    return unquote(stem)


def names(folder: Path) -> list[str]:
    """The name of every ``{customer}.csv`` in a folder, sorted, hidden ones left out; none without a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name for entry in entries if entry.name.endswith(".csv") and entry.name[0] != "."
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def files(folder: Path) -> list[Path]:
    """The same as paths."""
    return [folder / name for name in names(folder)]


def stem_of(path: Path) -> str:
    return path.name.removesuffix(".csv")


@dataclass(frozen=True)
class Series:
    """One customer's readings in time order: ``ds`` datetime64[us] and ``y`` float64, of equal length."""

    customer: str
    ds: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]


class BadSeries(Exception):
    """A customer's file that cannot be read as columns ds, y; the message says why."""


def read_series(path: Path) -> Series:
    """Read ``{customer}.csv`` with the columns ds and y; rows without a value are left out.

    A third column ``customer`` is there where the id was too long for the file name. Raises BadSeries.
    """
    return parse_series(path.read_bytes(), stem_of(path))


def parse_series(content: bytes, stem: str) -> Series:
    """As ``read_series``, of a file that was read. Raises BadSeries."""
    if found := _PLAIN.read(content):
        return Series(customer_of(stem), *found)
    return parse_any(content, stem)


def parse_any(content: bytes, stem: str) -> Series:
    """Whatever pyarrow reads as a CSV. Raises BadSeries."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    types = {"ds": pa.timestamp("us"), "y": pa.float64(), "customer": pa.string()}
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=types),
        )
    except pa.ArrowInvalid as error:
        raise BadSeries(str(error)) from error
    if not {"ds", "y"} <= set(table.column_names):
        raise BadSeries(f"needs the columns ds and y, has {table.column_names}")
    named = "customer" in table.column_names and table.num_rows > 0
    customer = table["customer"][0].as_py() if named else customer_of(stem)
    table = table.filter(pc.is_finite(table["y"])).sort_by("ds")
    return Series(customer, table["ds"].to_numpy().astype("datetime64[us]"), table["y"].to_numpy())
