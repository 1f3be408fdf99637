"""Virtual environments of families and others, made once: ``venvs/<name>-<digest of the lock and of sources>``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from trainyard.errors import SetupError
from trainyard.execution.installing import build, missing_tools, pip, reason, require_buildable, run
from trainyard.families import Family
from trainyard.images.sources import Given, of_family

_READY = "trainyard-ready"
_HASHES = ("--require-hashes",)

# The sagemaker-training toolkit comes as source with one C file, a library that MPI across hosts preloads.
# Where there is no compiler or no Python.h, this stands for the compiler: it makes an empty library, which
# is then replaced by an empty module, because the toolkit imports it to learn where it is.
_STAND_IN_COMPILER = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = -o ] && : > "$2"; shift; done
"""
_STAND_IN_MODULE = (
    '"""Stands for a library that was not built, for want of a compiler; only MPI needs it."""\n'
)


class Environments:
    """Makes and finds the families' environments below one folder.

    ``say`` is told, in a few words, what takes time.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self._folder = folder
        self._say = say

    def path(self, family: Family) -> Path:
        """Where it is, or will be made.

        Where no variable says what to make a source of, the newest environment of this lock that is there does:
        who once named a folder or a mirror need not name it again.
        """
        lock, sources = _lock(family), of_family(family)
        wanted = self._path(family.name, lock, sources)
        named = any(os.environ.get(one.source.variable) for one in sources)
        if not sources or named or (wanted / _READY).exists():
            return wanted
        ready = [
            file
            for file in self._folder.glob(f"{family.name}-*/{_READY}")
            if file.read_text() == _digest(lock)
        ]
        return max(ready, key=lambda file: file.stat().st_mtime).parent if ready else wanted

    def has(self, family: Family) -> bool:
        """Whether the family's environment is there, with the sources as they are given now."""
        return (self.path(family) / _READY).exists()

    def python(self, family: Family) -> Path:
        """The family's interpreter; raises as ``locked`` does.

        Raises SourceUnavailable, before anything is installed, for a package that is on no index and cannot be
        had from where it is said to be.
        """
        return self._made(family.name, _lock(family), of_family(family), self.path(family))

    def locked(self, name: str, requirements: Path) -> Path:
        """The interpreter of the environment of a lock, which is made first if need be.

        Raises SetupError when the packages cannot be installed; what was begun is begun anew next time.
        """
        return self._made(name, requirements, (), self._path(name, requirements))

    def _made(self, name: str, requirements: Path, sources: Sequence[Given], venv: Path) -> Path:
        if not (venv / _READY).exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{venv.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (venv / _READY).exists():
                    self._make(name, requirements, venv, sources)
        return venv / "bin" / "python"

    def _path(self, name: str, requirements: Path, sources: Sequence[Given] = ()) -> Path:
        identities = "".join(f"\n{one.source.package} {one.identity}" for one in sources)
        text = _digest(requirements) + identities
        return self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def _make(self, name: str, requirements: Path, venv: Path, sources: Sequence[Given]) -> None:
        for source in sources:  # the lock may be gigabytes
            require_buildable(source)
        self._say(f"setting up the environment of {name} (once)")
        shutil.rmtree(venv, ignore_errors=True)
        log = self._folder / f"{venv.name}.log"
        log.unlink(missing_ok=True)
        python = str(venv / "bin" / "python")
        uv = Path(sys.executable).with_name("uv")
        installers = [pip(python)]
        if uv.exists():
            installers.insert(0, [str(uv), "pip", "install", "-q", "--python", python])
        run([sys.executable, "-m", "venv", "--without-pip", str(venv)], log)
        for installer in installers:
            if run([*installer, *_HASHES, "-r", str(requirements)], log, _compiler(venv)):
                break
        else:
            raise SetupError(
                f"the environment of {name} could not be made from {requirements}: {reason(log)} "
                f"(whole output in {log}); check the network and run the command again"
            )
        _replace_empty_libraries(venv)
        for source in sources:
            self._say(f"building {source.source.package} from {source.shown}")
            build(source, venv, log)
        (venv / _READY).write_text(_digest(requirements))
        self._say("")


def _lock(family: Family) -> Path:
    return family.folder / "requirements.txt"


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()


def _compiler(venv: Path) -> dict[str, str]:
    if not missing_tools("CC", "cc"):
        return {}
    stand_in = venv / "stand-in-cc"
    stand_in.write_text(_STAND_IN_COMPILER)
    stand_in.chmod(0o755)
    return {"CC": str(stand_in), "LDSHARED": str(stand_in)}


def _replace_empty_libraries(venv: Path) -> None:
    for library in venv.glob("lib/python*/site-packages/*.so"):
        if library.stat().st_size == 0:
            library.with_name(f"{library.name.partition('.')[0]}.py").write_text(_STAND_IN_MODULE)
            library.unlink()
