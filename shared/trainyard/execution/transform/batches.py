"""What goes into one request: one record, or as many as fit (AWS API reference, BatchStrategy, MaxPayloadInMB)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from trainyard.errors import DataError
from trainyard.execution.transform.splitting import Record

BatchStrategy = Literal["SingleRecord", "MultiRecord"]

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """One request: its records as they are in the input, and what is sent."""

    records: tuple[bytes, ...]
    payload: bytes


def pack(
    records: Iterable[tuple[bytes, Record]], strategy: BatchStrategy, max_bytes: int | None
) -> Iterator[Batch]:
    """Requests of at most ``max_bytes``; each record comes with what it was before it was filtered.

    A record that is sent alone by SingleRecord loses its newline or padding. Raises DataError for a record that
    is longer by itself.
    """
    originals: list[bytes] = []
    payload: list[bytes] = []
    size = 0
    for number, (original, record) in enumerate(records, 1):
        data = record.payload if strategy == "SingleRecord" else record.framed
        if max_bytes is not None and len(data) > max_bytes:
            raise DataError(
                f"record {number} has {len(data)} bytes, more than MaxPayloadInMB ({max_bytes // MEGABYTE} MB) "
                "allows; raise that, or split the object (SplitType)"
            )
        full = max_bytes is not None and size + len(data) > max_bytes
        if originals and (full or strategy == "SingleRecord"):
            yield Batch(tuple(originals), b"".join(payload))
            originals, payload, size = [], [], 0
        originals.append(original)
        payload.append(data)
        size += len(data)
    if originals:
        yield Batch(tuple(originals), b"".join(payload))


def assemble(answers: Iterable[bytes], how: Literal["None", "Line"]) -> Iterator[bytes]:
    """The parts of the output object; ``Line`` ends each answer with a newline where it does not end so."""
    for answer in answers:
        yield answer
        if how == "Line" and not answer.endswith(b"\n"):
            yield b"\n"
