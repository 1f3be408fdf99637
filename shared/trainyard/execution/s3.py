"""``s3://`` objects as plain files: ``<root>/<bucket>/<key>``, written atomically, listed by key prefix."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trainyard.errors import DiskFull, StoreError

_PARTIAL = ".trainyard-partial-"
_RCLONE = ".rclone_temp_"
_ABANDONED = 3600.0  # seconds after which nobody writes a partial file any more
_NO_OBJECTS = (_PARTIAL, _RCLONE)  # names of what is being written, here and through the endpoint

Mark = list[int]
"""Size and time of change of a stored object, as JSON keeps them."""


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key (or key prefix, possibly empty)."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def join(self, relative: str) -> S3Uri:
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{relative}".lstrip("/"))


@dataclass(frozen=True)
class StoredObject:
    """One object below a prefix. ``relative`` is where it lands in a channel; ``size`` is in bytes."""

    uri: S3Uri
    relative: str
    path: Path
    size: int
    modified: datetime


def parse_uri(text: str) -> S3Uri:
    """Take ``s3://bucket/key`` apart.

    Raises StoreError when it is not such a URI or its key could leave the store.
    """
    if not isinstance(text, str) or not text.startswith("s3://"):
        raise StoreError(f"{text!r} is not an S3 URI; it has the form s3://BUCKET/KEY")
    bucket, _, key = text[len("s3://") :].partition("/")
    if not bucket or bucket in {".", ".."} or "\0" in bucket:
        raise StoreError(f"{text!r} names no bucket; it has the form s3://BUCKET/KEY")
    try:
        lengths = len(bucket.encode()), len(key.encode())
    except UnicodeEncodeError:
        raise StoreError(f"{text!r} is not UTF-8; keys are") from None
    if lengths[0] > 63 or lengths[1] > 1024:
        raise StoreError(
            f"{text[:80]!r}...: a bucket of {lengths[0]} and a key of {lengths[1]} bytes; S3 takes 63 and 1024"
        )
    parts = key.rstrip("/").split("/") if key.rstrip("/") else []
    for part in parts:
        if part in {"", ".", ".."} or "\0" in part:
            raise StoreError(
                f"{text!r}: the key part {part!r} cannot be stored as a file; use names other than '', '.' and '..'"
            )
        if len(part.encode()) > 255:
            raise StoreError(f"{text!r}: a key part has {len(part.encode())} bytes; files have at most 255")
    return S3Uri(bucket, key)


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn 'no space left' into DiskFull, naming the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"no space left on the disk of {where}; free some, or set TRAINYARD_HOME to a larger disk"
            ) from error
        raise


class ObjectStore:
    """The objects of every bucket below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, uri: S3Uri) -> Path:
        """Raises StoreError where a link on the way leaves the store."""
        path = self.root / uri.bucket / uri.key.rstrip("/")
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(
                f"{uri} is, or lies behind, a link that leaves {self.root}; put the files there instead"
            )
        return path

    def buckets(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())

    def exists(self, uri: S3Uri) -> bool:
        return bool(uri.key) and not uri.key.endswith("/") and self.path(uri).is_file()

    def read(self, uri: S3Uri) -> bytes:
        """The bytes of one object; raises StoreError when it is not there."""
        if not self.exists(uri):
            raise StoreError(f"no object {uri} in the local store; `trainyard s3 ls` shows what is there")
        return self.path(uri).read_bytes()

    def list(self, uri: S3Uri) -> list[StoredObject]:
        """All objects whose key starts with the prefix, sorted by key, as SageMaker's S3Prefix matches them.

        ``relative`` is the key below the prefix when that is a "folder", the file name when the
        prefix is the object itself, and the key below the prefix's last ``/`` otherwise.
        """
        bucket = self.root / uri.bucket
        folder, _, name = uri.key.rpartition("/")
        start = self.path(S3Uri(uri.bucket, folder))
        found = []
        for path in _files(start, name):
            key = path.relative_to(bucket).as_posix()
            if not key.startswith(uri.key):
                continue
            below = uri.key if uri.key.endswith("/") or not uri.key else f"{uri.key}/"
            relative = key[len(below) :] if key.startswith(below) else key[len(folder) :].lstrip("/")
            stat = path.stat()
            modified = datetime.fromtimestamp(stat.st_mtime, UTC)
            found.append(StoredObject(S3Uri(uri.bucket, key), relative, path, stat.st_size, modified))
        return sorted(found, key=lambda item: item.uri.key)

    def put(self, source: Path, uri: S3Uri, *, move: bool = False) -> Path:
        """Store a file under a key, whole or not at all; ``move`` gives the file away without copying it."""
        target = self._place_for(uri)
        with disk_errors(self.root):
            if move:
                os.utime(source)  # LastModified is when it was stored; the cache relies on it
                source.replace(target)
                return target
            with self._partial(target) as partial:
                shutil.copyfile(source, partial)
        return target

    def put_bytes(self, content: bytes, uri: S3Uri) -> Path:
        target = self._place_for(uri)
        with disk_errors(self.root), self._partial(target) as partial:
            partial.write_bytes(content)
        return target

    def mark(self, path: Path) -> Mark:
        """Changes whenever the object is written again, also with as many bytes."""
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]

    def delete(self, uri: S3Uri) -> None:
        """Remove an object if it is there, and the folders that it leaves empty."""
        path = self.path(uri)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root / uri.bucket or folder == self.root:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def sweep(self) -> None:
        """Remove what a killed rclone has left half-written, and, after an hour, what any other process has.

        No rclone may be writing.
        """
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = Path(folder, name)
                with suppress(OSError):  # its writer has just ended it
                    if name.startswith(_RCLONE) or (
                        name.startswith(_PARTIAL) and path.stat().st_mtime < time.time() - _ABANDONED
                    ):
                        path.unlink()

    def _place_for(self, uri: S3Uri) -> Path:
        if not uri.key or uri.key.endswith("/"):
            raise StoreError(f"{uri} names a folder; an object needs a key that does not end with '/'")
        target = self.path(uri)
        try:
            with disk_errors(self.root):
                target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"{uri} cannot be stored: a part of its key is an object already, and files cannot be folders too"
            ) from error
        if target.is_dir():
            raise StoreError(f"{uri} cannot be stored: other objects lie below that key already")
        return target

    @contextmanager
    def _partial(self, target: Path) -> Iterator[Path]:
        partial = target.parent / f"{_PARTIAL}{secrets.token_hex(6)}"
        try:
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _files(folder: Path, name_prefix: str) -> Iterator[Path]:
    """Regular files below a folder whose first path part starts with ``name_prefix``; links are not followed."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if not entry.name.startswith(name_prefix) or entry.name.startswith(_NO_OBJECTS):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), "")
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
