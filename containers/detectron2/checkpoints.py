"""Checkpoints of a training, and which of them can be gone on from: whole ones, of just this training.

Each is two files: ``iteration_00000100.safetensors`` with the tensors, and, written last, ``.json`` beside it with
the sha256 of the former, what the training was set up with, and all that is no tensor. No code is in either.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
KEPT = 2
_NAME = "iteration_{:08d}"
_LEFTOVER = ".iteration_*.tmp"


class OtherTraining(Exception):
    """The folder has checkpoints of a training that was set up differently; the message tells all differences."""


class Damaged(Exception):
    """A checkpoint that is not whole; the message says what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint after so many iterations; ``rest`` is all of the state that is no tensor."""

    iteration: int
    tensors: Path
    sha256: str
    settings: dict[str, Any]
    rest: dict[str, Any]


def whole(folder: Path, tell: Callable[[str], None]) -> list[Checkpoint]:
    """The whole ones, newest first; ``tell`` is told of each that is not, and why."""
    found = []
    for iteration in _iterations(folder):
        try:
            found.append(_read(folder, iteration))
        except Damaged as damaged:
            tell(f"checkpoint {_NAME.format(iteration)} is damaged, the one before is taken: {damaged}")
    return found


def check(found: list[Checkpoint], settings: Mapping[str, Any], s3_path: str) -> None:
    """Raise OtherTraining unless the newest is of a training with the same settings."""
    if not found:
        return
    before, now = found[0].settings, json.loads(json.dumps(settings))
    differing = [
        f"{name}: {_shown(before.get(name))} then, {_shown(now.get(name))} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if not differing:
        return
    place = f"s3_path={s3_path}" if s3_path else "the checkpoint folder"
    raise OtherTraining(
        f"{place} has checkpoints (the newest after iteration {found[0].iteration}) of a training that was set up "
        f"differently: {'; '.join(differing)}. To train anew, give another s3_path (an empty prefix); to go on, take "
        f"the former values"
    )


def write(
    folder: Path,
    iteration: int,
    save: Callable[[Path], None],
    settings: Mapping[str, Any],
    rest: Mapping[str, Any],
) -> None:
    """Write a checkpoint, whose tensors ``save`` writes to the path it is given, then remove old ones.

    Raises OSError when it cannot be written; the ones before it are then still there.
    """
    for leftover in folder.glob(_LEFTOVER):
        leftover.unlink()
    tensors, description = _files(folder, iteration)
    _atomically(tensors, save)
    content = {"format": FORMAT, "iteration": iteration, "sha256": _sha256(tensors)}
    text = json.dumps({**content, "settings": dict(settings), "rest": dict(rest)})
    _atomically(description, lambda path: path.write_text(text, encoding="utf-8"))
    for old in _iterations(folder)[KEPT:]:
        for file in reversed(_files(folder, old)):
            file.unlink(missing_ok=True)


def _read(folder: Path, iteration: int) -> Checkpoint:
    """Raises Damaged."""
    tensors, description = _files(folder, iteration)
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise Damaged(f"its format is {content['format']!r}, this code reads {FORMAT}")
        found = Checkpoint(
            content["iteration"], tensors, content["sha256"], content["settings"], content["rest"]
        )
        actual = _sha256(tensors)
    except FileNotFoundError as error:
        raise Damaged(f"{Path(error.filename).name} is missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{description.name} cannot be read ({error!r})") from error
    if found.sha256 != actual:
        raise Damaged(f"{tensors.name} has the sha256 {actual[:12]}..., not {str(found.sha256)[:12]}...")
    return found


def _iterations(folder: Path) -> list[int]:
    names = (re.fullmatch(r"iteration_(\d{8,})\.(safetensors|json)", path.name) for path in folder.iterdir())
    return sorted({int(name[1]) for name in names if name}, reverse=True)


def _files(folder: Path, iteration: int) -> tuple[Path, Path]:
    name = _NAME.format(iteration)
    return folder / f"{name}.safetensors", folder / f"{name}.json"


def _atomically(path: Path, save: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
