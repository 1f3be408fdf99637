"""Model archives (``model.tar.gz``): written whole or not at all, read without trusting what is inside."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

MAX_MEMBERS = 10_000
MAX_BYTES_IN_MEMORY = 1 << 30
MAX_BYTES_ON_DISK = 64 << 30
_HEADER_ROOM = 16 * 1024  # what one member may need besides its content: headers, padding
_CHUNK = 1 << 20


def write_archive(path: Path, files: Mapping[str, bytes], compresslevel: int = 6) -> None:
    """Write ``files`` (name -> content) as a ``.tar.gz``; the same files always give the same bytes.

    The archive appears under its name only when it is whole and on disk: it is written under a
    temporary name in the same folder first. Raises OSError (disk full, no such folder), after which
    no temporary is left.
    """
    place(path, packed(files, compresslevel))


def packed(files: Mapping[str, bytes], compresslevel: int = 6) -> bytes:
    """The content of such an archive."""
    parts = []
    for name in sorted(files):
        member = tarfile.TarInfo(name)  # its modification time, owner and mode are constants
        member.size = len(files[name])
        parts += [member.tobuf(tarfile.PAX_FORMAT), files[name], bytes(-member.size % tarfile.BLOCKSIZE)]
    tar = b"".join([*parts, bytes(2 * tarfile.BLOCKSIZE)])
    return gzip.compress(tar + bytes(-len(tar) % tarfile.RECORDSIZE), compresslevel, mtime=0)


def place(path: Path, content: bytes, *, on_disk: bool = True) -> None:
    """Write a file that appears under its name only when it is whole. Raises OSError as ``write_archive`` does.

    Without ``on_disk`` nobody waits for the disk, and a power cut may leave it damaged: for many small files
    whose reader checks what it finds.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            if on_disk:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the call whose atomicity is documented
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if on_disk:
        _fsync_folder(path.parent)


def read_archive(
    path: Path, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES_IN_MEMORY
) -> dict[str, bytes]:
    """The regular files of an archive, by name, in memory.

    Raises BadArchive when it is truncated, no gzip or tar, larger than allowed, or holds anything but
    plain files and folders under relative names; OSError when the file cannot be read.
    """
    return {
        name: content.read() for name, content in _walk(path, max_members, max_bytes) if content is not None
    }


def extract_archive(
    path: Path, folder: Path, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES_ON_DISK
) -> None:
    """Unpack an archive into ``folder``; nothing is written before the whole archive has been checked.

    Raises BadArchive as ``read_archive`` does, and OSError (disk full), after which ``folder`` may hold
    some of the files.
    """
    for _ in _walk(path, max_members, max_bytes):
        pass
    # Not extractall: its safe filter is missing in Pythons that are in use (Debian 12 has 3.11.2), and of
    # what it can do only this is wanted.
    for name, content in _walk(path, max_members, max_bytes):
        place = folder / name
        if content is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as stream:
            shutil.copyfileobj(content, stream, _CHUNK)


class BadArchive(Exception):
    """An archive that is damaged or not safe to open; the message names the file and what is wrong."""


class _Readable(Protocol):
    def read(self, size: int) -> bytes: ...


class _Capped:
    """A stream that ends after ``limit`` bytes, so that no header can make tarfile read without bound."""

    def __init__(self, stream: _Readable, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge
        return data


class _TooLarge(Exception):
    pass


def _walk(path: Path, max_members: int, max_bytes: int) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Every member's name and, for files, its content, to be read before the next; ends with the checksum."""
    try:
        with gzip.open(path, "rb") as unpacked:
            capped = _Capped(unpacked, max_bytes + max_members * _HEADER_ROOM)
            with tarfile.open(fileobj=capped, mode="r|") as archive:  # type: ignore[call-overload]
                yield from _members(path, archive, max_members, max_bytes)
            while capped.read(_CHUNK):
                pass
    except _TooLarge:
        raise BadArchive(f"{path}: unpacks to more than {max_bytes} bytes") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadArchive(f"{path}: not a whole .tar.gz ({error})") from error


def _members(
    path: Path, archive: tarfile.TarFile, max_members: int, max_bytes: int
) -> Iterator[tuple[str, IO[bytes] | None]]:
    seen: set[str] = set()
    total = 0
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise BadArchive(f"{path}: member {member.name!r} would be written outside the folder")
        if not (member.isdir() or (member.isreg() and not member.issparse())):
            raise BadArchive(
                f"{path}: member {member.name!r} is a link, device or sparse file, not a plain file"
            )
        if str(name) in seen:
            raise BadArchive(f"{path}: member {member.name!r} is there twice")
        seen.add(str(name))
        total += member.size
        if len(seen) > max_members:
            raise BadArchive(f"{path}: more than {max_members} members")
        if total > max_bytes:
            raise BadArchive(f"{path}: unpacks to more than {max_bytes} bytes")
        yield str(name), archive.extractfile(member) if member.isreg() else None


def _fsync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
