from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trainyard.errors import DataError
from trainyard.execution.transform.batches import MEGABYTE, Batch, assemble, pack
from trainyard.execution.transform.splitting import Record

LINES = some.lists(some.binary(min_size=1, max_size=9))


def lines(payloads):
    return [(payload, Record(payload, payload + b"\n")) for payload in payloads]


@given(LINES, some.integers(10, 40))
def test_as_many_records_as_fit_in_order(payloads, most) -> None:
    batches = list(pack(lines(payloads), "MultiRecord", most))
    assert [record for batch in batches for record in batch.records] == payloads
    assert b"".join(batch.payload for batch in batches) == b"".join(line + b"\n" for line in payloads)
    assert all(len(batch.payload) <= most for batch in batches)
    for batch, after in pairwise(batches):
        assert len(batch.payload) + len(after.records[0]) + 1 > most


@given(LINES)
def test_single_records_lose_their_frame(payloads) -> None:
    assert list(pack(lines(payloads), "SingleRecord", None)) == [Batch((line,), line) for line in payloads]


def test_a_record_alone_may_be_too_long() -> None:
    with pytest.raises(DataError, match=r"record 2 has 1048577 bytes, more than MaxPayloadInMB \(1 MB\)"):
        list(pack(lines([b"a", b"x" * MEGABYTE]), "MultiRecord", MEGABYTE))
    assert len(list(pack(lines([b"a", b"x" * MEGABYTE]), "MultiRecord", None))) == 1


def test_lines_end_once() -> None:
    answers = [b"a", b"b\n", b"c\nd"]
    assert b"".join(assemble(answers, "Line")) == b"a\nb\nc\nd\n"
    assert b"".join(assemble(answers, "None")) == b"ab\nc\nd"
