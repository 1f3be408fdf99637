"""Bring raw data into the local store: the user's files, or what a family's example generator makes."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from trainyard.errors import DataError
from trainyard.execution.events import nobody
from trainyard.execution.request import Channel, JobRequest, Launcher, Output, StopSignal
from trainyard.execution.s3 import S3Uri, file_digest, parse_uri
from trainyard.execution.store import DEFAULT_BUCKET, Store
from trainyard.execution.targets import Target
from trainyard.families import Family


def put_data(store: Store, family: str, path: Path) -> str:
    """Store a file, or all files of a folder, below a prefix named after their contents; the answer is its URI.

    The same contents have the same URI and are stored once. Raises DataError for nothing to store.
    """
    try:
        return _put_files(store, family, path, _data_files(path))
    except PermissionError as error:
        raise DataError(f"data {str(path)!r}: {error.filename!r} cannot be read: {error.strerror}") from error


def _put_files(store: Store, family: str, path: Path, files: Sequence[Path]) -> str:
    names = [(file.relative_to(path).as_posix() if path.is_dir() else file.name, file) for file in files]
    digests = [(name, file_digest(file)) for name, file in names]
    whole = hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()
    prefix = S3Uri(DEFAULT_BUCKET, f"{family}/data/{whole[:16]}")
    _put_missing(store, prefix, names)
    return f"{prefix}/"


Generate = Callable[[Store, Family, S3Uri], None]
"""Stores what the family's example generator makes. Raises DataError with its last words when it fails."""


def example_data(store: Store, family: Family, generate: Generate) -> str:
    """The URI of the family's example data, generated on first use; raises what ``generate`` raises."""
    prefix = S3Uri(DEFAULT_BUCKET, f"{family.name}/example/{file_digest(_generator(family))[:16]}")
    done = prefix.join("_generated")
    if not store.objects.exists(done):
        generate(store, family, prefix.join("data"))
        store.objects.put_bytes(b"", done)
    return f"{prefix.join('data')}/"


def in_environment(python: Path) -> Generate:
    """With the interpreter of the family's environment."""

    def generate(store: Store, family: Family, to: S3Uri) -> None:
        with tempfile.TemporaryDirectory(prefix="example-", dir=store.home) as folder:
            _generate([str(python), str(_generator(family)), "--output", folder], family.name)
            files = _data_files(Path(folder))
            names = [(file.relative_to(folder).as_posix(), file) for file in files]
            _put_missing(store, to, names)

    return generate


def in_image(launcher: Launcher, target: Target) -> Generate:
    """By a job in the family's image: who has that may lack its environment, which can be gigabytes.

    Raises UserError where the job cannot be started, too.
    """

    def generate(store: Store, family: Family, to: S3Uri) -> None:
        from trainyard.execution.jobs import run_job  # here, or `run --help` would wait for it

        code, data = "/opt/ml/processing/input/example", "/opt/ml/processing/output/data"
        generator = _generator(family)
        folder = put_data(store, family.name, generator.parent)
        request = JobRequest(
            name=f"example-{family.name[:40]}-{secrets.token_hex(5)}",
            kind="Processing",
            image=target.name,
            target=target,
            command=("python3", f"{code}/{generator.name}", "--output", data),
            resource_config="config/resourceconfig.json",
            channels=(Channel(name="example", container_path=code, uri=folder),),
            outputs=(Output(name="data", container_path=data, uri=f"{to}/"),),
        )
        outcome = run_job(store, launcher, "example", request, StopSignal(), nobody)
        if outcome.failure:
            raise DataError(f"the example generator of {family.name} failed: {outcome.failure}")

    return generate


def _generator(family: Family) -> Path:
    return family.folder / family.example.generate


def _data_files(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"data {str(path)!r}: no such file or folder; give a file, a folder or an s3:// URI")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    files = [file for file in files if not any(part.startswith(".") for part in _parts(file, path))]
    if not files:
        raise DataError(f"data {str(path)!r}: there are no files in it")
    return files


def _parts(file: Path, base: Path) -> Sequence[str]:
    return file.relative_to(base).parts if file != base else ()


def _put_missing(store: Store, prefix: S3Uri, names: Sequence[tuple[str, Path]]) -> None:
    for name, file in names:
        uri = parse_uri(str(prefix.join(name)))
        target = store.objects.path(uri)
        if not target.is_file() or target.stat().st_size != file.stat().st_size:
            store.objects.put(file, uri)


def _generate(command: Sequence[str], family: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ended.returncode != 0:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        raise DataError(f"the example generator of {family} failed: {lines[-1] if lines else 'no output'}")
