"""Virtual environments of families and others, made once per lock: ``venvs/<name>-<digest of the lock>``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from trainyard.errors import SetupError
from trainyard.families import Family

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
        return self._path(family.name, family.folder / "requirements.txt")

    def python(self, family: Family) -> Path:
        """The family's interpreter; raises as ``locked`` does."""
        return self.locked(family.name, family.folder / "requirements.txt")

    def locked(self, name: str, requirements: Path) -> Path:
        """The interpreter of the environment of a lock, which is made first if need be.

        Raises SetupError when the packages cannot be installed; what was begun is begun anew next time.
        """
        venv = self._path(name, requirements)
        if not (venv / _READY).exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{venv.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (venv / _READY).exists():
                    self._make(name, requirements, venv)
        return venv / "bin" / "python"

    def _path(self, name: str, requirements: Path) -> Path:
        digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
        return self._folder / f"{name}-{digest[:12]}"

    def _make(self, name: str, requirements: Path, venv: Path) -> None:
        self._say(f"setting up the environment of {name} (once)")
        shutil.rmtree(venv, ignore_errors=True)
        log = self._folder / f"{venv.name}.log"
        log.unlink(missing_ok=True)
        python = str(venv / "bin" / "python")
        uv = Path(sys.executable).with_name("uv")
        installers = [[sys.executable, "-m", "pip", "--python", python, "install", "-q"]]
        if uv.exists():
            installers.insert(0, [str(uv), "pip", "install", "-q", "--python", python])
        _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], log)
        for installer in installers:
            if _run([*installer, *_HASHES, "-r", str(requirements)], log, _compiler(venv)):
                _replace_empty_libraries(venv)
                (venv / _READY).touch()
                self._say("")
                return
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        raise SetupError(
            f"the environment of {name} could not be made from {requirements}: {last[0]} "
            f"(whole output in {log}); check the network and run the command again"
        )


def _run(command: list[str], log: Path, extra: dict[str, str] | None = None) -> bool:
    temporary = log.parent / "tmp"  # uv leaves lock files there
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary), **(extra or {})}
    with log.open("ab") as output:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
    return ended.returncode == 0


def _compiler(venv: Path) -> dict[str, str]:
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if shutil.which(compiler) and header.exists():
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
