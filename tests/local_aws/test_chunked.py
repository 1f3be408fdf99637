from __future__ import annotations

import io

import pytest

from trainyard.local_aws.chunked import Chunked
from trainyard.local_aws.messages import AwsError


def read(raw: bytes, step: int = 3) -> bytes:
    stream = io.BufferedReader(Chunked(io.BytesIO(raw)), step)
    return b"".join(iter(lambda: stream.read(step), b""))


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"5;chunk-signature=abc\r\nhello\r\n0;chunk-signature=def\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA==\r\nx: y\r\n\r\n", b"hello"),
        (b"0\r\n\r\n", b""),
    ],
)
def test_a_chunked_body_is_its_content(raw, content):
    assert read(raw) == content


@pytest.mark.parametrize("raw", [b"hello", b"-5\r\n", b"\r\n", b"2\r\nhello\r\n0\r\n\r\n", b"x" * 10_000])
def test_what_is_not_chunked_is_refused(raw):
    with pytest.raises(AwsError) as refused:
        read(raw)
    assert refused.value.code == "IncompleteBody"


def test_after_a_failure_nothing_more_is_read():
    source = io.BytesIO(b"nonsense\r\n5\r\nhello\r\n0\r\n\r\n")
    stream = Chunked(source)
    for _ in range(2):
        with pytest.raises(AwsError):
            stream.read(10)
    assert source.read().startswith(b"5")


def test_trailers_without_end_are_refused():
    with pytest.raises(AwsError, match="trailers"):
        read(b"0\r\n" + b"a: b\r\n" * 1000)


@pytest.mark.parametrize("raw", [b"", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n"])
def test_a_body_that_ends_too_early_is_no_body(raw):
    with pytest.raises(ConnectionError):
        read(raw)
