"""Columns as they come -> user codes, days, numbers; what cannot be understood is refused with its place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import days as written_days
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from features import LARGEST

Array = np.ndarray[Any, Any]

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "-"]


class Unreadable(Exception):
    """A value that is no number, or no day; ``index`` is its row, from 0."""

    def __init__(self, index: int, value: str, why: str) -> None:
        super().__init__(index, value, why)
        self.index, self.value, self.why = index, value, why


def codes(column: pa.ChunkedArray, known: dict[str, int]) -> Array:
    """Each row's user as an index into ``known``, which grows; -1 for none. Whole floats lose the ".0"."""
    if pa.types.is_floating(column.type):
        with suppress(pa.ArrowInvalid):  # no whole numbers
            column = column.cast(pa.int64())
    names, rows = _distinct(column)
    lookup = [known.setdefault(name, len(known)) if name.strip() else -1 for name in names]
    return np.array([*lookup, -1], np.int32)[rows]


def days(column: pa.ChunkedArray) -> tuple[Array, str]:
    """Whole days, and what they are: "dates" since 1970-01-01, "numbers", or "" of no rows. Raises Unreadable.

    A time or a zone behind a date says nothing about its day: that is the one that is written.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = pc.local_timestamp(column)
        _refuse_null(column)
        return column.cast(pa.timestamp("us"), safe=False).to_numpy().astype("datetime64[D]").astype(
            np.int64
        ), "dates"
    texts, rows = _distinct(column)
    found, kind = written_days.read(texts)
    lookup = np.array([*(0 if each is None else each for each in found), 0], np.int64)
    bad = np.array([*(each is None for each in found), True])[rows]
    if bad.any():
        index = int(np.argmax(bad))
        raise Unreadable(
            index,
            _text(column, index),
            f"is no day; {written_days.POSSIBLE}",
        )
    return lookup[rows], kind if texts else ""


def numbers(column: pa.ChunkedArray) -> Array:
    """float64, NaN where missing. Raises Unreadable for text, and for what is infinite or beyond ``LARGEST``."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts, rows = _distinct(column)
        found = [_number(text.strip()) for text in texts]
        bad = np.array([*(each is None for each in found), False])[rows]
        if bad.any():
            index = int(np.argmax(bad))
            raise Unreadable(index, _text(column, index), "is no number")
        values = np.array([*(np.nan if each is None else each for each in found), np.nan])[rows]
    else:
        try:
            values = column.cast(pa.float64(), safe=False).to_numpy()
        except pa.ArrowNotImplementedError as error:
            raise Unreadable(0, _text(column, 0), f"is no number, but {column.type}") from error
    wrong = np.abs(values) > LARGEST
    if wrong.any():
        index = int(np.argmax(wrong))
        raise Unreadable(index, _text(column, index), f"is infinite, or beyond {LARGEST:g}")
    return values


def _distinct(column: pa.ChunkedArray) -> tuple[list[str], Array]:
    """The texts of a column, each once, and for each row which one it is; one more than the last is none."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.unify_dictionaries()
    texts = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    indices = pa.chunked_array([chunk.indices for chunk in column.chunks], pa.int32())
    return [text or "" for text in texts], indices.fill_null(len(texts)).to_numpy()


def _number(text: str) -> float | None:
    if text in MISSING:
        return np.nan
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _refuse_null(column: pa.ChunkedArray) -> None:
    if column.null_count:
        index = int(np.argmax(column.is_null().to_numpy()))
        raise Unreadable(index, "", "is no day: it is missing")


def _text(column: pa.ChunkedArray, index: int) -> str:
    value = column[index].as_py()
    return "" if value is None else str(value)[:100]
