"""Which archives of an interrupted training can be kept: whole ones, made from just this data and code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import customers
import engine
from fitting import Outcome, Task

from trainyard.in_image.archives import BadArchive, leftovers, read_archive


def tasks(files: list[Path], checkpoints: Path, models: Path, options: engine.Options) -> Iterator[Task]:
    """One task per customer file; the first of its archives is the checkpoint, where that folder exists."""
    folders = [checkpoints, models] if checkpoints.is_dir() else [models]
    identity = engine.identity()
    for data in files:
        name = f"{customers.stem_of(data)}.tar.gz"
        yield Task(
            data, tuple(folder / name for folder in folders), fingerprint(data, options, identity), options
        )


def fingerprint(data: Path, options: engine.Options, identity: str) -> str:
    """What a model is made from: its data file's bytes, the options, the engine and Prophet's version."""
    made_from = json.dumps([dataclasses.asdict(options), identity], sort_keys=True)
    return hashlib.sha256(made_from.encode() + b"\0" + data.read_bytes()).hexdigest()


def reuse(task: Task) -> Outcome | None:
    """Copy a task's checkpoint to its model if it is whole and has the task's fingerprint; else None.

    Removes what killed writers left beside either. Raises OSError when it cannot be copied.
    """
    checkpoint, model = task.archives[0], task.archives[-1]
    for archive in task.archives:
        for temporary in leftovers(archive):
            temporary.unlink()
    if not checkpoint.exists():
        return None
    try:
        metadata = _metadata(checkpoint)
    except BadArchive as error:
        print(f"checkpoint is damaged, fitting it again: {error}", flush=True)
        return None
    if metadata["fingerprint"] != task.fingerprint:
        print(f"checkpoint {checkpoint.name} has other data or hyperparameters, fitting it again", flush=True)
        return None
    if model != checkpoint:
        temporary = model.with_name(f".{model.name}.{os.getpid()}.tmp")
        shutil.copyfile(checkpoint, temporary)
        temporary.replace(model)
    rest = {key: metadata[key] for key in ("rows", "mae", "mape")}
    return Outcome(metadata["customer"], task.data.name, "reused", **rest)


def _metadata(checkpoint: Path) -> dict[str, Any]:
    files = read_archive(checkpoint)
    try:
        metadata = json.loads(files["metadata.json"])
        complete = {
            "customer",
            "fingerprint",
            "rows",
            "mae",
            "mape",
        } <= metadata.keys() and "model.json" in files
    except (KeyError, ValueError, AttributeError) as error:
        raise BadArchive(f"{checkpoint}: its metadata.json cannot be read ({error})") from error
    if not complete:
        raise BadArchive(f"{checkpoint}: model.json or a key of metadata.json is missing")
    return dict(metadata)
