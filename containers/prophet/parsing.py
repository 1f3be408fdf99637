"""Columns as they come -> customer codes, timestamps, values; what cannot be understood is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from findings import EXAMPLES, Findings

ZONE = r"(?:Z|UTC|[T ]\d{1,2}(?::?\d{2}){0,2}(?:\.\d+)? ?[+-]\d{2}:?(?:\d{2})?)$"
DAY_OR_MONTH = r"^(\d{1,2})([./-])(\d{1,2})\2\d{2}(?:\d{2})?\b"
DATED = r"(?<![.\d])\d{4}|\d[./-]\d{1,2}[./-]\d|\d[ -]?[A-Za-z]{3,9}[ .,-]+\d"
MISSING = ("", "na", "n/a", "nan", "null", "none", "-")
LARGEST = 1e150  # its square can still be summed; beyond are marks such as 1.7976931348623157e308
FIRST, LAST = np.datetime64("1700-01-01", "us"), np.datetime64("2200-01-01", "us")


class DayFirst(Exception):
    """Dates of which some have the day first, so that the others cannot be told; the message shows one."""


@dataclass(frozen=True)
class Formats:
    """How text is read: a strptime format ("" = ISO 8601, or month first), a decimal mark, a zone name."""

    timestamp: str = ""
    decimal: str = "."
    zone: str = "UTC"


@dataclass(frozen=True)
class Place:
    """Where the column being parsed is, to be able to say where something was found."""

    file: str
    row: np.ndarray[Any, Any]
    findings: Findings

    def add(self, reason: str, mask: np.ndarray[Any, Any], column: pa.ChunkedArray) -> None:
        self.findings.add(reason, mask.sum(), self._examples(np.flatnonzero(mask)[:EXAMPLES], column))

    def _examples(self, where: np.ndarray[Any, Any], column: pa.ChunkedArray) -> Iterator[dict[str, Any]]:
        for index in where.tolist():
            value = column[index].as_py()
            yield {
                "file": self.file,
                "row": int(self.row[index]),
                "value": None if value is None else str(value)[:200],
            }


def codes(column: pa.ChunkedArray, known: dict[str, int], place: Place) -> np.ndarray[Any, Any]:
    """Each row's customer as an index into ``known``, which grows; -1 for none. Whole floats lose the ".0"."""
    if pa.types.is_floating(column.type):  # as text, Arrow gives them an exponent from 1e10 on
        with suppress(pa.ArrowInvalid):  # no whole numbers
            column = column.cast(pa.int64())
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    ids = encoded.dictionary.to_pylist()
    if ids and all(name.endswith(".0") and name[:-2].lstrip("-").isdigit() for name in ids):
        ids = [name[:-2] for name in ids]  # whole numbers that some program kept as floats
    lookup = [known.setdefault(name, len(known)) if name.strip() else -1 for name in ids]
    rows = encoded.indices.fill_null(len(lookup)).to_numpy(zero_copy_only=False)
    code = np.array([*lookup, -1], np.int32)[rows]
    place.add("no_customer", code < 0, column)
    return code


def timestamps(column: pa.ChunkedArray, formats: Formats, place: Place) -> np.ndarray[Any, Any]:
    """datetime64[us], NaT where unreadable. Zoned ones become wall time in ``formats.zone``, others stay.

    Raises DayFirst.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zoned = np.full(len(column), getattr(kind, "tz", None) is not None) & _there(column)
        if zoned.any():
            column = pc.local_timestamp(column.cast(pa.timestamp("us", formats.zone), safe=False))
        ds = column.cast(pa.timestamp("us"), safe=False).to_numpy().astype("datetime64[us]")
    else:
        ds, zoned = _parse_timestamps(column.cast(pa.string()), formats)
    ds = np.where((ds >= FIRST) & (ds < LAST), ds, np.datetime64("NaT"))
    place.add("unreadable_timestamp", np.isnat(ds), column)
    place.add("zoned_timestamp", zoned & ~np.isnat(ds), column)
    return ds


def values(column: pa.ChunkedArray, formats: Formats, place: Place) -> np.ndarray[Any, Any]:
    """float64, NaN where missing, unreadable or infinite (which begins at ``LARGEST``)."""
    kind = column.type
    if any(is_kind(kind) for is_kind in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)):
        y = column.cast(pa.float64(), safe=False).to_numpy()
        missing = np.isnan(y)
    else:
        y, missing = _parse_values(column.cast(pa.string()), formats)
    place.add("missing_value", missing, column)
    place.add("unreadable_value", np.isnan(y) & ~missing, column)
    infinite = np.abs(y) > LARGEST
    place.add("infinite_value", infinite, column)
    return np.where(infinite, np.nan, y)


def _parse_timestamps(
    text: pa.ChunkedArray, formats: Formats
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The timestamps, and which had a zone. Arrow reads ISO 8601 fast, pandas the rest, each text once."""
    if not formats.timestamp:
        try:
            ds = text.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")
            return ds, np.zeros(len(ds), bool)
        except pa.ArrowInvalid:
            pass
    import pandas as pd

    encoded = text.combine_chunks().dictionary_encode()
    texts = pd.Series(encoded.dictionary.to_pylist(), dtype="str").str.strip()
    if not formats.timestamp:
        texts = _month_first(texts)
    zoned = texts.str.contains(ZONE, na=False).to_numpy(bool)
    how: dict[str, Any] = {"errors": "coerce", "format": formats.timestamp or "mixed"}
    unique = np.full(len(texts) + 1, np.datetime64("NaT"), "datetime64[us]")
    unique[:-1][~zoned] = pd.to_datetime(texts[~zoned], **how).to_numpy("datetime64[us]")
    local = pd.to_datetime(texts[zoned], utc=True, **how).dt.tz_convert(formats.zone).dt.tz_localize(None)
    unique[:-1][zoned] = local.to_numpy("datetime64[us]")
    rows = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return unique[rows], np.append(zoned, False)[rows]


def _month_first(texts: Any) -> Any:
    """The texts, missing where they hold no whole date or no month comes first. Raises DayFirst.

    pandas takes the month first where that is possible and the day where it is not, row by row.
    """
    texts = texts.where(texts.str.contains(DATED, na=False))
    parts = texts.str.extract(DAY_OR_MONTH)
    first, second = (parts[column].astype("Int64") for column in (0, 2))
    day_first = ((first > 12) | (parts[1] == ".")).fillna(False).to_numpy(bool)
    if day_first.any() and not (second > 12).any():
        raise DayFirst(f"{texts[day_first].iloc[0]!r} has the day first")
    return texts.mask(day_first)


def _parse_values(
    text: pa.ChunkedArray, formats: Formats
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The numbers, and which are missing rather than unreadable."""
    if formats.decimal != ".":
        text = pc.replace_substring_regex(text, r"\.(\d{3})\b", r"\1")  # thousands; any other point is a slip
        text = pc.replace_substring(pc.replace_substring(text, ".", "?"), formats.decimal, ".")
    try:
        y = text.cast(pa.float64()).to_numpy()
        return y, np.isnan(y)
    except pa.ArrowInvalid:
        import pandas as pd

        plain = pc.utf8_lower(pc.utf8_trim_whitespace(text))
        missing = pc.is_in(plain, pa.array(MISSING)).to_numpy() | ~_there(text)
        y = pd.to_numeric(pd.Series(plain.to_pylist(), dtype="str"), errors="coerce").to_numpy(np.float64)
        return y, missing


def _there(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return column.is_valid().to_numpy()
