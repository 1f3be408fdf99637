"""The repository's own .venv: what is installed in it, found out cheaply, and the way into it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from trainyard.families import repository_root

# Which locks of requirements/ a command may ask for, and all that must be installed then.
LOCKS = {"host": ("host",), "test": ("host", "test"), "ci": ("ci",)}


def enter(lock: str, arguments: Sequence[str]) -> None:
    """Start the command line again in .venv, with the packages of ``lock``, which are installed if need be.

    Does not return. Raises SetupError.
    """
    root = repository_root()
    if missing(root, lock):
        from trainyard.cli.setup import install

        install(root, lock)
    os.execv(python(root), [str(python(root)), "-I", "-m", "trainyard.cli", *arguments])


def python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def missing(root: Path, lock: str) -> list[str]:
    """The locks that are not installed as they are now; an interrupted set-up counts for nothing."""
    if not python(root).exists() or unfinished(root).exists():
        return list(LOCKS[lock])
    return [name for name in LOCKS[lock] if _read(marker(root, name)) != digest(root, name)]


def marker(root: Path, lock: str) -> Path:
    """Written when a lock is installed; holds the digest of its text."""
    return root / ".venv" / f"installed-{lock}.sha256"


def unfinished(root: Path) -> Path:
    """Is there while .venv is being changed, and after a change that was interrupted."""
    return root / ".venv" / "unfinished"


def requirements(root: Path, lock: str) -> Path:
    return root / "requirements" / f"{lock}.txt"


def digest(root: Path, lock: str) -> str:
    return hashlib.sha256(requirements(root, lock).read_bytes()).hexdigest()


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""
