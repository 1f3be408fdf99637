"""What training leaves: an archive per model, ``<name>.tar.gz``, and ``mean.tar.gz`` with all of them.

Their folder is the prefix of a multi-model endpoint as it is, and each archive can be registered as a model of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import model_files
from model_files import BadModel, Model

from trainyard.in_image.archives import BadArchive, extract_archive, write_archive

MEAN = "mean"  # the name of all models together; none of them may have it


def save(folder: Path, models: Sequence[Model]) -> None:
    """Write the archives, those of the models first; equal models give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        together = Path(scratch)
        for model in models:
            own = together / "models" / model.name
            model.save(own)
            write_archive(folder / f"{model.name}.tar.gz", _files(own))
        model_files.save_ensemble(together, [model.name for model in models])
        write_archive(folder / f"{MEAN}.tar.gz", _files(together))


def load(folder: Path) -> list[Model]:
    """What an archive was unpacked to, or a folder with ``mean.tar.gz`` in it: one model or all. Raises BadModel."""
    if (folder / "model.json").exists():
        return [Model.load(folder)]
    archive = folder / f"{MEAN}.tar.gz"
    if (folder / "ensemble.json").exists() or not archive.exists():
        return model_files.load_ensemble(folder)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            extract_archive(archive, Path(scratch))
        except BadArchive as error:
            raise BadModel(str(error)) from error
        return model_files.load_ensemble(Path(scratch))


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
