"""The model folder: what model.json says of it, and that its files are those that it names.

``model.json``, ``config.yaml`` (Detectron2's whole configuration), ``model.safetensors`` and, where it can be
exported, ``model.onnx``. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

FORMAT = 1
DETAILS, CONFIGURATION, WEIGHTS, GRAPH = "model.json", "config.yaml", "model.safetensors", "model.onnx"
ONNX, TORCH = "onnx", "torch"
_LARGEST = 16384  # pixels that any side may be resized to


class BadModel(Exception):
    """A model folder that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Details:
    """What model.json says. ``min_size`` and ``max_size`` are pixels, as INPUT.*_SIZE_TEST; 0: no resizing."""

    classes: tuple[str, ...]
    min_size: int
    max_size: int
    pixel_format: str  # the order of channels that the network takes: "BGR" or "RGB"
    runtime: str  # ONNX or TORCH
    score_threshold: float  # 0 to 1: what detections have at least
    detections_per_image: int  # at most; -1: all
    sha256: dict[str, str]  # of each file but model.json
    provenance: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def save(self, folder: Path) -> None:
        """Write model.json, whole or not at all."""
        write(folder / DETAILS, json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n")


def load(folder: Path) -> Details:
    """Read model.json and compare the files with it. Raises BadModel."""
    path = folder / DETAILS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadModel(f"{path}: cannot be read ({error})") from error
    details = _details(content, path)
    for name, expected in details.sha256.items():
        found = _hash(folder / name)
        if found != expected:
            raise BadModel(f"{folder / name}: SHA-256 is {found}, {DETAILS} says {expected}")
    return details


def hashes(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of files, by name, in hexadecimal digits. Raises BadModel for one that is not there."""
    return {name: _hash(folder / name) for name in names}


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is under its name only when it is whole and on disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _details(content: Any, path: Path) -> Details:
    if not isinstance(content, dict):
        raise BadModel(f"{path}: is not a JSON object")
    if content.get("format") != FORMAT:
        raise BadModel(f"{path}: format is {content.get('format')!r}, this code reads {FORMAT}")
    names = [one.name for one in fields(Details)]
    missing = [name for name in names if name not in content]
    if missing:
        raise BadModel(f"{path}: {', '.join(missing)} missing")
    for name, fault in _faults(content).items():
        if fault:
            raise BadModel(f"{path}: {name} is {content[name]!r:.200}; it must be {fault}")
    found = {name: content[name] for name in names}
    return Details(**{**found, "classes": tuple(content["classes"])})


def _faults(content: Mapping[str, Any]) -> dict[str, str]:
    """Of each key: what it must be, if it is not."""
    classes, runtime, sums = content["classes"], content["runtime"], content["sha256"]
    needed = {CONFIGURATION, WEIGHTS} | ({GRAPH} if runtime == ONNX else set())
    sizes = f"a whole number of pixels from 0 to {_LARGEST}"
    return {
        "classes": ""
        if _are_texts(classes) and len(set(classes)) == len(classes)
        else "a list of different names",
        "min_size": "" if _is_whole(content["min_size"], 0, _LARGEST) else sizes,
        "max_size": "" if _is_whole(content["max_size"], 0, _LARGEST) else sizes,
        "pixel_format": "" if content["pixel_format"] in ("BGR", "RGB") else "BGR or RGB",
        "runtime": "" if runtime in (ONNX, TORCH) else f"{ONNX} or {TORCH}",
        "score_threshold": "" if _is_share(content["score_threshold"]) else "a number from 0 to 1",
        "detections_per_image": ""
        if _is_whole(content["detections_per_image"], -1, 100_000)
        else "a whole number from -1 to 100000",
        "sha256": ""
        if isinstance(sums, dict) and needed <= sums.keys() <= {CONFIGURATION, WEIGHTS, GRAPH}
        else f"of {', '.join(sorted(needed))}",
        "provenance": "" if isinstance(content["provenance"], dict) else "an object",
    }


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                digest.update(chunk)
    except OSError as error:
        raise BadModel(f"{path}: cannot be read ({error})") from error
    return digest.hexdigest()
