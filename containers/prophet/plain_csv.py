"""The CSV that preprocess.py writes, read from its bytes: ``ds,y``, timestamps of one width, plain decimal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

HEADER = b"ds,y\n"
_ALPHABET = b"0123456789-.:, \n"
_ZERO, _DOT, _MINUS, _COMMA, _END = b"0.-,\n"
_FORMS = {
    len(form): np.frombuffer(form, np.uint8)
    for form in (b"0000-00-00,", b"0000-00-00 00:00:00,", b"0000-00-00 00:00:00.000000,")
}
_SHORT = 15  # characters: as many digits are a whole number that a float64 holds exactly
_POWERS = 10.0 ** np.arange(_SHORT)


class Reader:
    """Remembers the last file's timestamps: customers of one fleet mostly have the same."""

    def __init__(self) -> None:
        self._text, self._ds = b"", np.empty(0, "datetime64[us]")

    def read(self, content: bytes) -> tuple[Array, Array] | None:
        """``ds`` (datetime64[us], ascending, not to be changed) and ``y`` (finite); None for any other file."""
        if not content.startswith(HEADER) or content.translate(None, _ALPHABET) != b"dsy":
            return None
        text = np.frombuffer(content, np.uint8)
        ends = np.flatnonzero(text == _END)
        starts, ends = ends[:-1] + 1, ends[1:]
        width = content.find(b",", len(HEADER)) + 1 - len(HEADER)
        if width not in _FORMS or not content.endswith(b"\n") or (ends - starts).min() <= width:
            return None
        ds = self._timestamps(text[starts[:, None] + np.arange(width)])
        y = _numbers(content, text, starts + width, ends)
        return None if ds is None or y is None else (ds, y)

    def _timestamps(self, cells: Array) -> Array | None:
        text = cells.tobytes()
        if text != self._text:
            ds = _parsed(cells)
            if ds is None:
                return None
            self._text, self._ds = text, ds
        return self._ds


def _parsed(cells: Array) -> Array | None:
    form = _FORMS[cells.shape[1]]
    digits = form == _ZERO
    if (cells[:, ~digits] != form[~digits]).any() or (cells[:, digits] - _ZERO > 9).any():
        return None
    try:
        ds = cells[:, :-1].copy().view(f"S{len(form) - 1}")[:, 0].astype("datetime64[us]")
    except ValueError:  # no such day
        return None
    if (ds[1:] < ds[:-1]).any():
        return None
    ds.flags.writeable = False
    return ds


def _numbers(content: bytes, text: Array, starts: Array, ends: Array) -> Array | None:
    """The decimal numbers between; each is the float64 that is nearest to it."""
    lengths = ends - starts
    width = int(lengths.max())
    if width > _SHORT:
        return _long_numbers(content, starts, ends)
    place = np.arange(width)[:, None]  # from the last character to the first
    cells = text[ends - 1 - place]
    within = place < lengths
    values = cells - np.uint8(_ZERO)
    digits, dots = (values <= 9) & within, (cells == _DOT) & within
    minus = text[starts] == _MINUS
    counts, dotted = digits.sum(axis=0), dots.sum(axis=0)
    if not (counts.all() and (dotted <= 1).all() and (counts + dotted + minus == lengths).all()):
        return None
    values = np.where(digits, values, 0.0)
    after = (dots * place).sum(axis=0)  # digits behind the point
    whole = _POWERS[:width] @ values
    if dotted.any():
        fraction = _POWERS[:width] @ np.where(place < after, values, 0.0)
        whole = np.where(dotted, (whole - fraction) / 10 + fraction, whole)
    # two numbers that are exact, divided once: rounded once
    y = whole / _POWERS[after]
    return np.where(minus, -y, y)


def _long_numbers(content: bytes, starts: Array, ends: Array) -> Array | None:
    cells = [content[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if b" " in b"".join(cells):
        return None
    try:
        y = np.array(list(map(float, cells)))
    except ValueError:
        return None
    return y if np.isfinite(y).all() else None
