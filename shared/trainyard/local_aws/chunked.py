"""Chunked bodies, HTTP's own and S3's aws-chunked, read as the bytes they carry.

Source: RFC 9112, 7.1; Amazon S3 API reference, "Signature calculations: transferring payload in multiple chunks",
whose chunks carry their signatures as extensions and whose checksums are trailers.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from trainyard.local_aws.messages import AwsError

_LINE = 8192
_TRAILERS = 100


class Chunked(io.RawIOBase):
    """The content of a chunked ``source``; signatures and trailers are read over.

    Reading raises AwsError for what is not chunked, and ConnectionError where the source ends too early.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = 0
        self._ended = False
        self._failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._failure:
            raise self._failure  # nobody knows where the rest begins
        try:
            return self._read(buffer)
        except (AwsError, ConnectionError) as error:
            self._failure = error
            raise

    def _read(self, buffer: memoryview) -> int:
        if not self._left and not self._ended:
            self._begin()
        content = self._source.read(min(len(buffer), self._left)) if self._left else b""
        if self._left and not content:
            raise ConnectionError("the client went away before its request was whole")
        buffer[: len(content)] = content
        self._left -= len(content)
        if content and not self._left and self._line():
            raise AwsError("IncompleteBody", "a chunk of the body is longer than it says")
        return len(content)

    def _begin(self) -> None:
        size = self._line().partition(b";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            self._left = -1
        if self._left < 0:
            raise AwsError("IncompleteBody", f"{size[:40]!r} is not the size of a chunk of the body")
        if not self._left:
            self._ended = True
            for _ in range(_TRAILERS):
                if not self._source.readline(_LINE).strip():
                    return
            raise AwsError("IncompleteBody", f"the body has more than {_TRAILERS} trailers")

    def _line(self) -> bytes:
        line = self._source.readline(_LINE)
        if not line:
            raise ConnectionError("the client went away before its request was whole")
        return line.rstrip(b"\r\n")
