"""Store what a job has made, all of it or nothing that counts, and clean up after one that was cut off."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainyard.errors import StoreError
from trainyard.execution.request import JobRequest, Output, StagedHost
from trainyard.execution.s3 import ObjectStore, S3Uri, disk_errors, parse_uri
from trainyard.in_image.opt_ml import OptMl

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
                moves += [(path, uri.join(name)) for path, name in _files(output, hosts)]
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
        for path in sorted(base.rglob("*")):
            if path.is_symlink() and not path.resolve().is_relative_to(base.resolve()):
                raise StoreError(
                    f"output {output.name!r}: {path.relative_to(base)} is a link to {path.readlink()}, outside of "
                    f"{output.container_path}; outputs hold files, write a copy there instead"
                )
            if path.is_file():
                yield path.resolve(), path.relative_to(base).as_posix()  # a link is what it leads to


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
