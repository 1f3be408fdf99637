"""The code of a Lambda function: its zip unpacked into a folder named after its digest, without trusting it."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Set
from contextlib import suppress
from pathlib import Path, PurePosixPath

from trainyard.errors import DataError
from trainyard.execution.s3 import disk_errors

MAX_ZIP_BYTES = 50 << 20
"""Of a zip in a request or in S3 (AWS: "Lambda quotas", deployment package)."""
MAX_UNZIPPED_BYTES = 262_144_000
MAX_MEMBERS = 20_000
_ZIP = "code.zip"
_UNUSED_SECONDS = 3600.0  # AWS lets a function run for 900


def keep(folder: Path, digest: str, content: bytes) -> Path:
    """Unpack a zip into ``folder/digest``, whole or not at all; the same zip is unpacked once.

    Raises DataError for what is no zip, too large, or would be written elsewhere.
    """
    place = folder / digest
    if place.is_dir():
        leave(folder, digest)  # whoever drops what is of no use may not know yet that this is again
        return place / "task"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
        try:
            _unpack(content, work / "task")
            (work / _ZIP).write_bytes(content)
            work.chmod(0o755)
            try:
                work.rename(place)
            except OSError:
                if not place.is_dir():  # another thread was faster
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return place / "task"


def leave(folder: Path, digest: str) -> None:
    """Begin the time for which this code stays although it is of no use: invocations of it may be running."""
    with suppress(FileNotFoundError):
        os.utime(folder / digest)


def drop_others(folder: Path, digests: Set[str]) -> None:
    """Remove the code that is of none of these digests, once no invocation can be running of it."""
    for place in folder.iterdir():
        with suppress(FileNotFoundError):  # another thread was faster
            if place.name not in digests and place.stat().st_mtime < time.time() - _UNUSED_SECONDS:
                shutil.rmtree(place, ignore_errors=True)


def zipped(folder: Path, digest: str) -> Path:
    """The zip as it was given."""
    return folder / digest / _ZIP


def _unpack(content: bytes, folder: Path) -> None:
    if len(content) > MAX_ZIP_BYTES:
        raise DataError(f"a zip of {len(content)} bytes; possible: at most {MAX_ZIP_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check(members)
            folder.mkdir()
            for member in members:
                _extract(archive, member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(
            f"Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"the zip has a file and a folder of one name: {error.filename}") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise DataError(f"the zip has {len(members)} members; possible: at most {MAX_MEMBERS}")
    if sum(member.file_size for member in members) >= MAX_UNZIPPED_BYTES:
        raise DataError(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")
    seen: set[PurePosixPath] = set()
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
            raise DataError(f"the zip's member {member.filename!r} would be written outside the folder")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"the zip's member {member.filename!r} is a link or device, not a plain file")
        if name in seen:
            raise DataError(f"the zip's member {member.filename!r} is there twice")
        seen.add(name)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    place = folder / PurePosixPath(member.filename)
    if member.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, place.open("wb") as target:
        shutil.copyfileobj(source, target)  # zipfile gives no more than the size that was checked
    if (member.external_attr >> 16) & 0o111:
        os.chmod(place, 0o755)  # noqa: PTH101
