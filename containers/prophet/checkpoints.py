"""Which archives of an interrupted training can be kept: whole ones, made from just this data and code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import engine
import model_file

from trainyard.in_image.archives import BadArchive, place, read_archive

_TEMPORARY = ".tmp"


def folders(checkpoints: Path, models: Path) -> tuple[Path, ...]:
    """Where archives go: first the checkpoint, where that folder exists."""
    return (checkpoints, models) if checkpoints.is_dir() else (models,)


def clear(folders: Sequence[Path], archives: Collection[str]) -> None:
    """Remove what killed writers of these archives have left behind; others may belong to another host."""
    for folder in folders:
        with os.scandir(folder) as entries:
            left = [entry.name for entry in entries if entry.name.endswith(_TEMPORARY)]
        for name in left:
            if name[1:].removesuffix(_TEMPORARY).rpartition(".")[0] in archives:
                (folder / name).unlink()


def fingerprint(content: bytes, options: engine.Options, identity: str) -> str:
    """What a model is made from: its data file's bytes, the options, the engine and Prophet's version."""
    return hashlib.sha256(_made_from(options, identity) + b"\0" + content).hexdigest()[:32]


@lru_cache(maxsize=8)
def _made_from(options: engine.Options, identity: str) -> bytes:
    return json.dumps([dataclasses.asdict(options), identity], sort_keys=True).encode()


def reuse(folders: Sequence[Path], archive: str, fingerprint: str) -> engine.Model | None:
    """Copy a checkpoint to its model if it is whole and has this fingerprint; else None.

    Raises OSError when it cannot be copied.
    """
    checkpoint = folders[0] / archive
    if not checkpoint.exists():
        return None
    try:
        whole = _model(checkpoint)
    except BadArchive as error:
        print(f"checkpoint is damaged, fitting it again: {error}", flush=True)
        return None
    if whole.provenance is None or whole.provenance.fingerprint != fingerprint:
        print(f"checkpoint {archive} has other data or hyperparameters, fitting it again", flush=True)
        return None
    for folder in folders[1:]:
        place(folder / archive, checkpoint.read_bytes(), on_disk=False)
    return whole


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
