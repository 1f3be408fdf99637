"""What a build prints: streamed to the user, kept in a file, and without its secrets."""

from __future__ import annotations

import os
import re
import select
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

STARS = b"***"
_SHORTEST_LINE = 4  # of a secret of several lines that is hidden by itself: not a lone brace


class Mask:
    """Replaces secrets in a stream that comes in pieces, wherever they are cut."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._needles: set[bytes] = set()
        for secret in secrets:
            lines = [line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE]
            self._needles |= {os.fsencode(text) for text in [secret, *lines] if text}
        longest_first = sorted(self._needles, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first)) or b"(?!)")
        self._longest = max(map(len, self._needles), default=0)
        self._kept = b""

    def feed(self, piece: bytes) -> bytes:
        """All that is known to hold no further secret; the rest comes with a later piece."""
        text = self._kept + piece
        known = len(text) - self._begun(text)
        for match in self._pattern.finditer(text):
            if match.start() < known < match.end():
                known = match.start()  # two secrets overlap: wait for the second
        self._kept = text[known:]
        return self._pattern.sub(STARS, text[:known])

    def end(self) -> bytes:
        rest, self._kept = self._kept, b""
        return self._pattern.sub(STARS, rest)

    def whole(self, text: str) -> str:
        return os.fsdecode(self._pattern.sub(STARS, os.fsencode(text)))

    def _begun(self, text: bytes) -> int:
        """How many of the last bytes may be the beginning of a secret."""
        for length in range(min(len(text), self._longest - 1), 0, -1):
            end = text[-length:]
            if any(len(needle) > length and needle.startswith(end) for needle in self._needles):
                return length
        return 0


class Output:
    """A pipe that commands write to as ``fd``, and a thread that reads it.

    There is one for the whole build, so that what commands leave running can write on, and what this module
    says itself keeps its place between their lines. It does not wait for processes that hold the pipe.
    """

    def __init__(self, stream: BinaryIO, file: Path, mask: Mask) -> None:
        self._stream: BinaryIO | None = stream
        self._file = file.open("wb")
        self.mask = mask
        self._reading, self.fd = os.pipe()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        lines = text.rstrip("\n").split("\n")
        data = os.fsencode("".join(f"[codebuild] {line}\n" for line in lines))
        while data:
            data = data[os.write(self.fd, data) :]

    def close(self) -> None:
        """Write what has come so far."""
        os.close(self.fd)
        self._ending.set()
        self._thread.join()
        os.close(self._reading)
        self._file.close()

    def _read(self) -> None:
        while True:
            ending = self._ending.is_set()
            ready, _, _ = select.select([self._reading], [], [], 0 if ending else 0.1)
            piece = os.read(self._reading, 65536) if ready else b""
            if ready and piece:
                self._write(self.mask.feed(piece))
            elif ready or ending:
                break
        self._write(self.mask.end())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        if self._stream is not None:
            try:
                self._stream.write(data)
                self._stream.flush()
            except (OSError, ValueError):  # such as `| head`: the build goes on, the file has it all
                self._stream = None
