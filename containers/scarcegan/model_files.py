"""Trained models as files, and their answers: numpy and JSON alone, so that serving needs no TensorFlow.

``models/<name>/weights.npz`` has the tensors of all four networks, ``model.json`` the rest;
``ensemble.json`` beside them names the models in order.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from architecture import log_probabilities
from encoding import Encoding

FORMAT = 1
_CHUNK = 1 << 16  # rows answered at a time
_KEYS = ("name", "classes", "risky", "columns", "leeway", "layers", "threshold", "scaler")


class BadModel(Exception):
    """A model folder that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Model:
    """One trained model. Features are scaled as its training rows were, float [rows, columns]."""

    weights: dict[str, np.ndarray]
    details: dict[str, Any]  # what is in model.json

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read one model's folder. Raises BadModel."""
        details = _json(folder / "model.json")
        if details.get("format") != FORMAT:
            raise BadModel(
                f"{folder}/model.json: format is {details.get('format')!r}, this code reads {FORMAT}"
            )
        missing = [key for key in _KEYS if key not in details]
        if missing:
            raise BadModel(f"{folder}/model.json: {', '.join(missing)} missing")
        path = folder / "weights.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                weights = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise BadModel(f"{path}: cannot be read ({error})") from error
        model = cls(weights, details)
        model.check(path)
        return model

    def check(self, path: Path) -> None:
        """Raise BadModel if what answers need is missing, of other widths than model.json says, or not finite."""
        encoding = self._encoding(path)
        width = encoding.low.size if encoding else len(self.columns)
        needed = [f"body.{layer}" for layer in range(self.details["layers"])] + ["supervised"]
        for name in needed:
            kernel, bias = (self.weights.get(f"{name}.{part}") for part in ("kernel", "bias"))
            if kernel is None or bias is None:
                raise BadModel(f"{path}: {name} is missing")
            if kernel.shape != (width, bias.size) or not (
                np.isfinite(kernel).all() and np.isfinite(bias).all()
            ):
                raise BadModel(f"{path}: {name} is not a finite layer of {width} inputs, but {kernel.shape}")
            width = bias.size
        if width != len(self.class_names) + 1:
            raise BadModel(f"{path}: {width} outputs for {len(self.class_names)} classes and unknown")

    @property
    def name(self) -> str:
        return str(self.details["name"])

    @property
    def columns(self) -> list[str]:
        return list(self.details["columns"])

    @property
    def class_names(self) -> list[str]:
        """Of the given classes; their number means "unknown"."""
        return list(self.details["classes"])

    @property
    def threshold(self) -> float:
        return float(self.details["threshold"]["value"])

    def _encoding(self, path: Path) -> Encoding | None:
        try:
            encoding = Encoding.of(self.weights)
        except KeyError as error:
            raise BadModel(f"{path}: {error} is missing") from error
        if encoding and not encoding.fits(len(self.columns)):
            raise BadModel(f"{path}: its encoding does not fit {len(self.columns)} columns")
        return encoding

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Of each class and, last, of unknown: float32 [rows, classes + 1].

        Raises ValueError for features of another width.
        """
        features = np.asarray(features)
        if features.ndim != 2 or features.shape[1] != len(self.columns):
            raise ValueError(
                f"features have shape {features.shape}, {self.name} needs [rows, {len(self.columns)}]"
            )
        encoding = Encoding.of(self.weights)
        answers = np.empty((len(features), len(self.class_names) + 1), np.float32)
        for begin in range(0, len(features), _CHUNK):
            rows = slice(begin, begin + _CHUNK)
            seen = encoding(features[rows]) if encoding else features[rows]
            logs = log_probabilities(self.weights, self.details["layers"], seen, self.details["leeway"])
            np.exp(logs, out=answers[rows])
        return answers

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The probability of being risky: float32 [rows]."""
        return self.probabilities(features)[:, self.details["risky"]]

    def classes(self, features: np.ndarray) -> np.ndarray:
        """The likeliest class, int32 [rows]; ``len(class_names)`` is unknown."""
        return self.probabilities(features).argmax(axis=1).astype(np.int32)

    def flags(self, features: np.ndarray) -> np.ndarray:
        """Whether the score reaches the model's threshold: bool [rows]."""
        return self.scores(features) >= self.threshold

    def save(self, folder: Path) -> None:
        """Write the folder; each file appears whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "weights.npz", _npz(self.weights))
        write(folder / "model.json", json.dumps(self.details, indent=1).encode())


def load_ensemble(folder: Path) -> list[Model]:
    """All models of a training job, in order. Raises BadModel, also when they have different columns."""
    models = [
        Model.load(folder / "models" / name) for name in _json(folder / "ensemble.json").get("models", [])
    ]
    if not models:
        raise BadModel(f"{folder}/ensemble.json: names no models")
    for model in models[1:]:
        if (model.columns, model.class_names) != (models[0].columns, models[0].class_names):
            raise BadModel(f"{folder}: {model.name} and {models[0].name} have different columns or classes")
    return models


def save_ensemble(folder: Path, names: list[str]) -> None:
    write(folder / "ensemble.json", json.dumps({"format": FORMAT, "models": names}, indent=1).encode())


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


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    """As numpy.savez has it, but the same bytes with every Python: no member is marked as one of 4 GB."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return content.getvalue()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadModel(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise BadModel(f"{path}: is not a JSON object")
    return content
