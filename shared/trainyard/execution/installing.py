"""Install into an environment: the installers' commands, and packages that come as source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from trainyard.errors import SetupError
from trainyard.images.sources import Given, git_variables, require, unavailable


def pip(python: str) -> list[str]:
    return [sys.executable, "-m", "pip", "--python", python, "install", "-q"]


def run(command: list[str], log: Path, extra: Mapping[str, str] | None = None) -> bool:
    """Whether it succeeds; its output is added to the log, beside which its temporary files lie."""
    temporary = log.parent / "tmp"  # uv leaves lock files there
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary), **(extra or {})}
    with log.open("ab") as output:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
    return ended.returncode == 0


def reason(log: Path) -> str:
    """The last error of an installer's output, or its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or ["no output"])[-1]


def missing_tools(variable: str, default: str) -> list[str]:
    """What is not there of a compiler, which a variable or else Python's own build names, and of Python.h."""
    compiler = os.environ.get(variable) or (sysconfig.get_config_var(variable) or default).split()[0]
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return [
        name
        for name, there in ((compiler, shutil.which(compiler)), ("Python.h", header.exists()))
        if not there
    ]


def require_buildable(given: Given) -> None:
    """Raises SourceUnavailable for a source that cannot be had, or not be built for want of a compiler."""
    require(given)
    is_built = given.path is None or given.path.suffix != ".whl"
    missing = missing_tools("CXX", "c++") if given.source.compiled and is_built else []
    if missing:
        raise unavailable(
            given.source, given.shown,
            f"building it needs {' and '.join(missing)}, which is not here (on Debian and Ubuntu: apt install g++ "
            f"python3-dev)",
        )  # fmt: skip


def build(given: Given, venv: Path, log: Path) -> None:
    """Install a source into the environment of its lock, which has all that building it takes.

    Raises SetupError, which names the log; SourceUnavailable where the source is one of another package.
    """
    package, python = given.source.package, str(venv / "bin" / "python")
    with tempfile.TemporaryDirectory(prefix="source-", dir=log.parent) as scratch:
        wanted = given.value
        if given.path is not None and given.path.is_dir():
            wanted = str(_copied(given.path, given.files.values(), Path(scratch)))
        # pip would keep what it has built of a commit, whatever the versions it was built for
        command = [*pip(python), "--no-cache-dir", "--no-deps", "--no-build-isolation", wanted]
        path = os.pathsep.join((str(venv / "bin"), os.environ.get("PATH", os.defpath)))  # of ninja, say
        installed = run(command, log, {**git_variables(), "PATH": path})
    if not installed:
        raise SetupError(
            f"{package} could not be built from {given.shown}: {reason(log)} (whole output in {log}); "
            f"{given.source.variable} may name another git URL, a folder or a wheel of it"
        )
    look = f"import importlib.metadata as found; found.version({package!r})"
    if not run([python, "-I", "-c", look], log):
        raise unavailable(given.source, given.shown, f"that is not {package}")


def _copied(source: Path, files: Iterable[Path], to: Path) -> Path:
    """A copy that may be written to: the folder may be read-only, and setup.py may write beside itself."""
    for file in files:
        copy = to / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy, follow_symlinks=False)
        if not copy.is_symlink():
            copy.chmod(copy.stat().st_mode | 0o200)
    return to
