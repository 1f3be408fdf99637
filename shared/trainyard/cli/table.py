"""Plain tables: columns as wide as what is in them, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lines of text with heads above; None is shown as ``-``, floats with four significant digits."""
    texts = [[_text(cell) for cell in row] for row in rows]
    columns = range(len(heads))
    right = [any(map(_is_number, column)) and all(map(_fits, column)) for column in zip(*rows, strict=True)]
    right = right or [False] * len(heads)
    widths = [max(len(line[i]) for line in [heads, *texts]) for i in columns]
    lines = [
        "  ".join(line[i].rjust(widths[i]) if right[i] else line[i].ljust(widths[i]) for i in columns)
        for line in [heads, *texts]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _fits(cell: Any) -> bool:
    return cell is None or _is_number(cell)
