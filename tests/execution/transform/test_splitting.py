from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from trainyard.errors import DataError
from trainyard.execution.transform.splitting import frame_recordio, frame_tfrecord, split

MAGIC = bytes.fromhex("0a23d7ce")
PAYLOADS = some.lists(
    some.binary(max_size=60) | some.lists(some.sampled_from([MAGIC, b"abcd", b"x"])).map(b"".join)
)


def records(content: bytes, how):
    return list(split(io.BytesIO(content), how))


@pytest.mark.parametrize(("how", "frame"), [("RecordIO", frame_recordio), ("TFRecord", frame_tfrecord)])
@given(payloads=PAYLOADS)
@example(payloads=[MAGIC, b"abcd" + MAGIC, MAGIC * 3, b"x" + MAGIC, b""])
def test_what_is_framed_is_found_again(how, frame, payloads) -> None:
    content = b"".join(map(frame, payloads))
    found = records(content, how)
    assert [record.payload for record in found] == payloads
    assert b"".join(record.framed for record in found) == content


@given(
    some.lists(
        some.text(some.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1).map(str.encode)
    )
)
def test_lines_are_found_again(lines) -> None:
    found = records(b"\n".join(lines), "Line")
    assert [record.payload for record in found] == lines
    assert b"".join(record.framed for record in found) == b"".join(line + b"\n" for line in lines)


def test_frames_begin_as_their_formats_say() -> None:
    assert frame_tfrecord(b"hello")[:8] == (5).to_bytes(8, "little")
    assert frame_recordio(b"hello") == MAGIC + (5).to_bytes(4, "little") + b"hello\0\0\0"


def test_the_checksum_is_crc32c() -> None:
    from trainyard.execution.transform.splitting import _checksum

    # RFC 3720, B.4: 32 bytes of zeros have 0x8a9136aa; masked by rotating 15 bits and adding a constant
    crc = 0x8A9136AA
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert _checksum(bytes(32)) == masked.to_bytes(4, "little")


def test_whole_objects_and_empty_ones() -> None:
    assert [record.payload for record in records(b"a\n\nb", "None")] == [b"a\n\nb"]
    assert [records(b"", how) for how in ("None", "Line", "RecordIO", "TFRecord")] == [[], [], [], []]
    assert [record.payload for record in records(b"a\r\n\r\n\nb\r\n", "Line")] == [b"a\r", b"b\r"]


@pytest.mark.parametrize(
    ("how", "content", "message"),
    [
        ("RecordIO", b"12345678", "not RecordIO: a record begins with 0x34333231"),
        ("RecordIO", frame_recordio(b"hello")[:-1], "ends in the middle"),
        ("RecordIO", frame_recordio(b"abcd" + MAGIC)[:12], "ends in the middle"),
        ("RecordIO", MAGIC + (3 << 29).to_bytes(4, "little"), "in the wrong place"),
        ("TFRecord", frame_tfrecord(b"hello")[:-1], "ends in the middle"),
        ("TFRecord", frame_tfrecord(b"hello").replace(b"h", b"j"), "checksum of a record is wrong"),
        ("TFRecord", b"x" * 20, "checksum of a record's length"),
    ],
)
def test_damage_is_said(how, content, message) -> None:
    with pytest.raises(DataError, match=message):
        records(content, how)
