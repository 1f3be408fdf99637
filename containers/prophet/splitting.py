"""Clean readings as files: ``{customer}.csv`` to train on, and of the same name what was held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import customers
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cleaning import Clean

HEADER = b"ds,y\n"
LONG_HEADER = b"ds,y,customer\n"  # for an id that is too long for a file name


def write(clean: Clean, names: list[str], train: Path, test: Path) -> None:
    """Format all rows at once, then cut the text where one customer ends and the next begins."""
    for folder in (train, test):
        folder.mkdir(parents=True, exist_ok=True)
    text, offsets = _lines(clean)
    bounds = zip(clean.order, offsets[clean.starts], offsets[clean.splits], offsets[clean.ends], strict=True)
    for code, start, split, end in bounds:
        customer = names[code]
        stem = customers.file_stem(customer)
        whole = customers.customer_of(stem) == customer
        for folder, rows in ((train, text[start:split]), (test, text[split:end])):
            if not len(rows):
                continue
            with (folder / f"{stem}.csv").open("wb") as stream:
                stream.write(HEADER if whole else LONG_HEADER)
                stream.write(rows if whole else _with_customer(bytes(rows), customer))


def summary(clean: Clean, names: list[str]) -> dict[str, Any]:
    """The part of data_quality.json that tells what became of the readings."""
    lowest, highest = (reduce.reduceat(clean.y, clean.starts) for reduce in (np.minimum, np.maximum))
    evaluated = clean.ends > clean.splits
    return {
        "rows": {
            "train": int((clean.splits - clean.starts).sum()),
            "test": int((clean.ends - clean.splits).sum()),
        },
        "customers": {"read": len(names), "train": len(clean.order), "test": int(evaluated.sum())},
        "period": {"first": str(clean.ds.min()), "last": str(clean.ds.max())},
        "step_seconds": clean.step_seconds,
        "excluded": [
            {"customer": name, "rows": rows, "reason": "fewer usable readings than min-rows"}
            for name, rows in clean.excluded.items()
        ],
        "not_evaluated": [
            {"customer": names[code], "rows": int(rows), "reason": "too short to hold out the horizon"}
            for code, rows in zip(
                clean.order[~evaluated], (clean.ends - clean.starts)[~evaluated], strict=True
            )
        ],
        "constant": [names[code] for code in clean.order[lowest == highest]],
    }


def _lines(clean: Clean) -> tuple[memoryview, np.ndarray[Any, Any]]:
    """All rows as CSV text, and where each one begins; numbers in the shortest form that reads back equal."""
    day, second = (clean.ds.astype(f"datetime64[{unit}]") for unit in ("D", "s"))
    if (day == clean.ds).all():
        ds = pa.array(day)
    elif (second == clean.ds).all():
        ds = pa.array(second)
    else:
        ds = pa.array(clean.ds)
    text = pa.large_string()
    comma, end, nothing = (pa.scalar(part, text) for part in (",", "\n", ""))
    rows = pc.binary_join_element_wise(ds.cast(text), pa.array(clean.y).cast(text), comma)
    rows = pc.binary_join_element_wise(rows, nothing, end)
    _, offsets, content = rows.buffers()
    return memoryview(content), np.frombuffer(offsets, np.int64)[: len(clean.y) + 1]


def _with_customer(rows: bytes, customer: str) -> bytes:
    quoted = customer.replace('"', '""').encode()
    return rows.replace(b"\n", b',"' + quoted + b'"\n')
