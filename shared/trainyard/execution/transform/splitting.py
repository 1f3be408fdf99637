"""Records in objects: lines, and the framings of RecordIO and TFRecord.

Sources: AWS API reference, TransformInput.SplitType; dmlc-core's ``recordio.h``; TensorFlow's guide "TFRecord and
tf.train.Example", TFRecords format details.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal

from trainyard.errors import DataError

SplitType = Literal["None", "Line", "RecordIO", "TFRecord"]

_MAGIC = 0xCED7230A
_MAGIC_BYTES = struct.pack("<I", _MAGIC)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


@dataclass(frozen=True)
class Record:
    """``payload`` is the record itself, ``framed`` as it stands in the object: with its newline or its padding."""

    payload: bytes
    framed: bytes


def split(content: BinaryIO, how: SplitType) -> Iterator[Record]:
    """The records of an object in order; an empty line is none, nor is an empty object.

    Raises DataError where the object is cut off or is not what it should be.
    """
    if how == "None":
        whole = content.read()
        return iter([Record(whole, whole)] if whole else [])
    return {"Line": _lines, "RecordIO": _recordio, "TFRecord": _tfrecord}[how](content)


def frame_recordio(payload: bytes) -> bytes:
    """A record as RecordIO writes it; one that holds the magic number is written in parts, without it."""
    parts = _aligned_parts(payload)
    kinds = [_WHOLE] if len(parts) == 1 else [_FIRST, *[_MIDDLE] * (len(parts) - 2), _LAST]
    framed = b""
    for kind, part in zip(kinds, parts, strict=True):
        framed += _MAGIC_BYTES + struct.pack("<I", kind << 29 | len(part)) + part + bytes(-len(part) % 4)
    return framed


def frame_tfrecord(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + _checksum(length) + payload + _checksum(payload)


def _lines(content: BinaryIO) -> Iterator[Record]:
    for line in content:
        payload = line.removesuffix(b"\n")
        if payload.strip(b"\r"):
            yield Record(payload, line if line.endswith(b"\n") else line + b"\n")


def _recordio(content: BinaryIO) -> Iterator[Record]:
    while head := content.read(8):
        framed = b""
        parts: list[bytes] = []
        while True:
            magic, word = struct.unpack("<II", _whole(head, 8, "RecordIO"))
            if magic != _MAGIC:
                raise DataError(f"not RecordIO: a record begins with {magic:#010x}, not {_MAGIC:#010x}")
            kind, length = word >> 29, word & 0x1FFFFFFF
            padded = length + -length % 4
            body = _whole(content.read(padded), padded, "RecordIO")
            if (kind in (_WHOLE, _FIRST)) == bool(parts) or kind > _LAST:
                raise DataError(f"not RecordIO: a part of kind {kind} in the wrong place")
            framed += head + body
            parts.append(body[:length])
            if kind in (_WHOLE, _LAST):
                break
            head = content.read(8)
        yield Record(_MAGIC_BYTES.join(parts), framed)


def _tfrecord(content: BinaryIO) -> Iterator[Record]:
    while head := content.read(12):
        length = _whole(head, 12, "TFRecord")[:8]
        if head[8:] != _checksum(length):
            raise DataError("not TFRecord: the checksum of a record's length is wrong")
        size = int(struct.unpack("<Q", length)[0])
        body = _whole(content.read(size + 4), size + 4, "TFRecord")
        if body[size:] != _checksum(body[:size]):
            raise DataError("TFRecord: the checksum of a record is wrong; the file is damaged")
        yield Record(body[:size], head + body)


def _whole(data: bytes, size: int, what: str) -> bytes:
    if len(data) < size:
        raise DataError(f"{what}: the object ends in the middle of a record")
    return data


def _aligned_parts(payload: bytes) -> list[bytes]:
    """Cut out each magic number at a multiple of 4 bytes, as dmlc's writer does."""
    parts, begin = [], 0
    at = payload.find(_MAGIC_BYTES)
    while at >= 0:
        if at % 4 == 0:
            parts.append(payload[begin:at])
            begin = at + 4
            at = payload.find(_MAGIC_BYTES, begin)
        else:
            at = payload.find(_MAGIC_BYTES, at + 1)
    return [*parts, payload[begin:]]


def _checksum(data: bytes) -> bytes:
    """CRC-32C, masked as TFRecord masks it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)
