"""Store what a job has made, all of it or nothing that counts, and clean up after one that was cut off."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import stat
import tarfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainyard.errors import StoreError
from trainyard.execution.request import JobRequest, Output, StagedHost
from trainyard.execution.s3 import ObjectStore, S3Uri, disk_errors, parse_uri
from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl

_JOURNAL = "storing.json"

Stored = dict[str, list[int]]
"""URI of each stored object and its mark, by which it is known to be still the same one."""


def collect(store: ObjectStore, request: JobRequest, hosts: Sequence[StagedHost], folder: Path) -> Stored:
    """Move every output of a job that has succeeded into the store.

    A journal says which keys are being written; ``discard`` reads it if this is cut off. Several
    hosts' files come together below one URI; of files with the same name the last host's stays.
    """
    moves: list[tuple[Path, S3Uri]] = []
    with disk_errors(folder):
        for output in request.outputs:
            uri = parse_uri(output.uri)
            if output.archive:
                moves += _archive(output, uri, hosts, folder)
            else:
                moves += [(path, parse_uri(str(uri.join(name)))) for path, name in _files(output, hosts)]
        journal = folder / _JOURNAL
        _write_durably(journal, json.dumps([str(uri) for _, uri in moves]))
    stored: Stored = {}
    remaining = Counter(source for source, _ in moves)
    for source, uri in moves:
        _flush(source)
        remaining[source] -= 1  # outputs may overlap: the last one takes the file
        stored[str(uri)] = store.mark(store.put(source, uri, move=not remaining[source]))
    _flush_folders(store, moves)
    return stored


class Continuous:
    """Stores the files of continuous outputs while the job runs, each once it has rested for a moment.

    They are copies: what the job makes of them later is stored again (AWS: S3UploadMode Continuous).
    """

    _REST = 1.0  # seconds

    def __init__(self, store: ObjectStore, request: JobRequest, folder: Path) -> None:
        self._store = store
        self._places = [
            (OptMl(folder / host / "ml").at(output.container_path), parse_uri(output.uri))
            for output in request.outputs
            if output.continuous
            for host in request.hosts
        ]
        self._stored: dict[Path, float] = {}
        self._looked = 0.0

    def look(self) -> None:
        """Store what is new or has changed; cheap when called often."""
        if not self._places or time.monotonic() - self._looked < self._REST:
            return
        self._looked = time.monotonic()
        for place, uri in self._places:
            for path in sorted(place.rglob("*")):
                with contextlib.suppress(OSError):  # files come and go
                    changed = path.lstat().st_mtime
                    if path.is_symlink() or not path.is_file() or self._stored.get(path) == changed:
                        continue
                    if time.time() - changed >= self._REST:
                        self._store.put(path, parse_uri(str(uri.join(path.relative_to(place).as_posix()))))
                        self._stored[path] = changed


def discard(store: ObjectStore, folder: Path) -> int:
    """Remove what an unfinished ``collect`` had stored; the number of keys it had planned."""
    journal = folder / _JOURNAL
    if not journal.exists():
        return 0
    uris = json.loads(journal.read_text())
    for uri in uris:
        store.delete(parse_uri(uri))
    journal.unlink()
    return len(uris)


def _files(output: Output, hosts: Sequence[StagedHost]) -> Iterator[tuple[Path, str]]:
    """Each regular file of an output and its name below it. Links are refused if they lead out of it."""
    for host in hosts:
        base = OptMl(host.ml).at(output.container_path)
        place = host.ml.resolve() / base.relative_to(host.ml)
        if os.path.realpath(base) != str(place):
            raise StoreError(
                f"output {output.name!r}: the job has put a link in the place of {output.container_path}; "
                "outputs hold files, write them there instead"
            )
        _open_up(place)
        for path in sorted(place.rglob("*")):
            name = path.relative_to(place).as_posix()
            source = _linked(path, host.ml) if path.is_symlink() else path
            if not source.is_relative_to(place):
                raise StoreError(
                    f"output {output.name!r}: {name} is a link to {path.readlink()}, outside of "
                    f"{output.container_path}; outputs hold files, write a copy there instead"
                )
            if source.is_file():
                yield source, name


def _linked(path: Path, ml: Path) -> Path:
    """Where a link of a job leads; one to ``/opt/ml/...`` was made where the job's folder had that name."""
    target = path.readlink()
    if target.is_relative_to(DEFAULT_BASE):
        target = OptMl(ml).at(str(target))
    return Path(os.path.realpath(path.parent / target))  # of a loop, the link itself, which is no file


def _open_up(folder: Path) -> None:
    """Let this process read and move what a job made unreadable: it may not be root."""
    if folder.is_dir():
        _add_mode(folder, stat.S_IRWXU)
    for place, _, names in os.walk(folder):  # from the top, so that a folder is opened before it is entered
        for name in names:
            _add_mode(Path(place, name), stat.S_IRUSR)
        for entry in os.scandir(place):
            if entry.is_dir(follow_symlinks=False):
                _add_mode(Path(entry.path), stat.S_IRWXU)


def _add_mode(path: Path, mode: int) -> None:
    before = path.lstat().st_mode
    if not stat.S_ISLNK(before) and before & mode != mode:
        path.chmod(stat.S_IMODE(before) | mode)


def _archive(
    output: Output, uri: S3Uri, hosts: Sequence[StagedHost], folder: Path
) -> list[tuple[Path, S3Uri]]:
    """One gzipped tar of all hosts' files, without a folder on top (AWS: model.tar.gz); none if there are none."""
    files = list(_files(output, hosts))
    if not files:
        return []
    made = folder / f"{output.name}.tar.gz"
    try:
        with (
            made.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for path, name in files:
                tar.add(path, arcname=name, recursive=False)
    except OSError:
        made.unlink(missing_ok=True)  # on a full disk the record of the failure needs the room
        raise
    return [(made, uri)]


def _write_durably(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folders(store: ObjectStore, moves: Sequence[tuple[Path, S3Uri]]) -> None:
    """Make the renames last through a power cut, before anybody records that the step has succeeded."""
    for folder in {store.path(uri).parent for _, uri in moves}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
