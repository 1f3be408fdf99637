"""The rows of a request: JSON, CSV or npy without pickle, with names for their columns or in the model's order."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from features import LARGEST

from trainyard.in_image.handler_errors import BadRequest, UnsupportedMediaType
from trainyard.in_image.server import formats

Array = np.ndarray[Any, Any]

_JSON_FORMS = '[[1, 2], ...], [{"a": 1, "b": 2}, ...] or {"columns": ["a", "b"], "rows": [[1, 2], ...]}'


@dataclass(frozen=True)
class Table:
    """Columns of equal length. Without ``names`` they are the model's features, in its order.

    ``as_text``: numbers are texts still, as in CSV.
    """

    names: tuple[str, ...]
    columns: Sequence[Sequence[Any] | Array]
    as_text: bool = False

    def texts(self, name: str) -> list[str]:
        """One column's values as text. Raises BadRequest for an empty one."""
        column = self.columns[self.names.index(name)]
        values = column.tolist() if isinstance(column, np.ndarray) else column
        found = ["" if value is None else str(value).strip() for value in values]
        if "" in found:
            raise BadRequest(f"row {found.index('') + 1}: {name} is missing")
        return found

    def numbers(self, names: Sequence[str] = ()) -> Array:
        """float64 [rows, names], or all columns of a table without names. Raises BadRequest for what is no number."""
        places = [self.names.index(name) for name in names] if self.names else range(len(self.columns))
        return np.column_stack([self._numbers(place) for place in places])

    def _numbers(self, place: int) -> Array:
        column = self.columns[place]
        try:
            values = np.asarray(list(map(float, column)) if self.as_text else column)
        except ValueError:
            values = np.empty(0, object)
        if values.dtype.kind not in "iuf" or values.ndim != 1:
            bad = next((row for row, value in enumerate(column) if not self._is_number(value)), 0)
            raise BadRequest(f"{self._place(bad, place)}: {str(column[bad])[:100]!r} is no number")
        values = values.astype(np.float64)
        wrong = ~(np.abs(values) <= LARGEST)
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise BadRequest(
                f"{self._place(bad, place)}: {values[bad]} is not possible; numbers lie within {LARGEST:g}"
            )
        return values

    def _is_number(self, value: Any) -> bool:
        if not self.as_text:
            return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        try:
            float(value)
        except ValueError:
            return False
        return True

    def _place(self, row: int, place: int) -> str:
        return f"row {row + 1}, column {self.names[place] if self.names else place + 1}"


def parse(body: str | bytes, content_type: str) -> Table:
    """Raises UnsupportedMediaType; BadRequest with what is wrong and what is possible."""
    if content_type == formats.CSV:
        table = _from_csv(str(body))
    elif content_type == formats.JSON:
        table = _from_json(formats.decode(body, content_type))
    elif content_type == formats.NPY:
        table = _from_npy(formats.decode(body, content_type))
    else:
        raise UnsupportedMediaType(
            f"content type {content_type!r} cannot be read; send {', '.join(formats.READABLE)}"
        )
    twice = [name for name in table.names if table.names.count(name) > 1]
    if twice:
        raise BadRequest(f"there are two columns {twice[0]!r:.100}")
    if not len(table.columns) or not len(table.columns[0]):
        raise BadRequest("there are no rows")
    return table


def _from_csv(text: str) -> Table:
    """Without a header if the first line has numbers only."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=None)) if row]
    except csv.Error as error:
        raise BadRequest(f"the body is not CSV: {error}") from error
    names: list[str] = []
    if rows and not all(map(_is_written_number, rows[0])):
        names, rows = [cell.strip() for cell in rows[0]], rows[1:]
    return Table(tuple(names), _columns(rows, len(names), 2 if names else 1), as_text=True)


def _from_json(content: Any) -> Table:
    names: list[Any] = []
    if isinstance(content, dict) and set(content) == {"columns", "rows"}:
        names, content = content["columns"], content["rows"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise BadRequest("columns must be a list of names")
    elif isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        names = list(content[0])
        for number, row in enumerate(content, 1):
            if row.keys() != content[0].keys():
                raise BadRequest(f"row {number} has other columns than the first: {', '.join(row)[:300]}")
        content = [list(map(row.__getitem__, names)) for row in content]
    if not isinstance(content, list) or not all(isinstance(row, list) for row in content):
        raise BadRequest(f"the body must be rows: {_JSON_FORMS}")
    return Table(tuple(names), _columns(content, len(names), 1))


def _from_npy(array: Array) -> Table:
    names = array.dtype.names
    if names and array.ndim == 1:
        return Table(tuple(names), [_field(array[name]) for name in names])
    if names or array.ndim != 2:
        raise BadRequest(
            f"the array has shape {array.shape}; send [rows, features], or one row of named fields per row"
        )
    return Table((), array.T)


def _field(values: Array) -> Array:
    """Dates and bytes as text."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[D]").astype(str)
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _columns(rows: Sequence[Sequence[Any]], width: int, first: int) -> list[tuple[Any, ...]]:
    """Raises BadRequest where a row has another number of values than the names, or than the first row."""
    width = width or (len(rows[0]) if rows else 0)
    for number, row in enumerate(rows, first):
        if len(row) != width:
            raise BadRequest(f"row {number} has {len(row)} values instead of {width}")
    return list(zip(*rows, strict=True))


def _is_written_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
