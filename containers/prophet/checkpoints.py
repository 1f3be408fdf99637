"""Which archives of an interrupted training can be kept: whole ones, made from just this data and code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import customers
import engine
import model_file
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
    return hashlib.sha256(made_from.encode() + b"\0" + data.read_bytes()).hexdigest()[:32]


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
        whole = _model(checkpoint)
    except BadArchive as error:
        print(f"checkpoint is damaged, fitting it again: {error}", flush=True)
        return None
    if whole.provenance.fingerprint != task.fingerprint:
        print(f"checkpoint {checkpoint.name} has other data or hyperparameters, fitting it again", flush=True)
        return None
    if model != checkpoint:
        temporary = model.with_name(f".{model.name}.{os.getpid()}.tmp")
        shutil.copyfile(checkpoint, temporary)
        temporary.replace(model)
    made = whole.provenance
    return Outcome(
        made.customer, task.data.name, "reused", rows=whole.parameters.rows, mae=made.mae, mape=made.mape
    )


def _model(checkpoint: Path) -> engine.Model:
    """Raises BadArchive for what is no model, or of the first format, or does not say where it is from."""
    try:
        model = model_file.loads(read_archive(checkpoint)["model.json"])
    except KeyError as error:
        raise BadArchive(f"{checkpoint}: no model.json") from error
    except engine.BadModel as error:
        raise BadArchive(f"{checkpoint}: {error}") from error
    if model.provenance is None:
        raise BadArchive(f"{checkpoint}: does not say what it was made from")
    return model
