"""Days as they are written: dates with dashes or without, or whole numbers. Serving reads them, too."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

POSSIBLE = "days are written 2026-01-31, 20260131 or as whole numbers"
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})([T ].*)?")
_COMPACT = re.compile(r"(?:19|20|21)\d{6}")
_WHOLE = re.compile(r"-?\d{1,9}(\.0)?")


def read(texts: Sequence[str]) -> tuple[list[int | None], str]:
    """Each text's day, None for what is no day; and what they are: "dates" since 1970-01-01, or "numbers".

    A time or a zone behind a date says nothing about its day: that is the one that is written.
    """
    texts = [text.strip() for text in texts]
    if all(_WHOLE.fullmatch(text) for text in texts) and not any(_COMPACT.fullmatch(text) for text in texts):
        return [int(text.removesuffix(".0")) for text in texts], "numbers"
    return [_date(text) for text in texts], "dates"


def _date(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    written = match[1] if match else text
    if _COMPACT.fullmatch(text):
        written = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    elif match is None:
        return None
    try:
        return int(np.datetime64(written, "D").astype(np.int64))
    except ValueError:
        return None
