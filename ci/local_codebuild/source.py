"""The source of a build: a fresh copy of a folder, and what git knows about it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from trainyard.errors import SetupError


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a source comes from; ``commit`` and ``previous`` are None where git does not know them."""

    url: str
    branch: str | None = None
    commit: str | None = None
    previous: str | None = None


def origin(folder: Path) -> Origin:
    """What git tells about ``folder``; without the user and password that a remote's URL may have."""
    commit = _git(folder, "rev-parse", "--verify", "-q", "HEAD^{commit}")
    remote = _git(folder, "remote", "get-url", "origin")
    return Origin(
        url=re.sub(r"^(\w+://)[^/@]*@", r"\1", remote) if remote else folder.resolve().as_uri(),
        branch=_git(folder, "symbolic-ref", "-q", "--short", "HEAD"),
        commit=commit,
        previous=_git(folder, "rev-parse", "--verify", "-q", "HEAD~1^{commit}") if commit else None,
    )


def copy(folder: Path, to: Path, apart: Path) -> list[str]:
    """Copy what git tracks or does not ignore, or all files where git is not used; what was left out.

    The copy has a .git of its own where ``folder`` has one: HEAD is the same commit, detached, as in a build.
    ``apart``: the folder of the outputs (no links in its path), which is never copied. ``to`` must not exist.
    Raises SetupError where git refuses, or a file cannot be copied.
    """
    try:
        if _git(folder, "rev-parse", "--is-inside-work-tree") == "true":
            return _copy_listed(folder, to, apart)
        # copytree asks with the names that it was given, hence realpath
        shutil.copytree(
            os.path.realpath(folder), to, symlinks=True,
            ignore=lambda at, names: [name for name in names if _is_left_out(Path(at, name), apart)],
        )  # fmt: skip
    except OSError as error:  # with all that copytree could not copy
        raise SetupError(f"the source cannot be copied: {error}") from error
    return []


def _copy_listed(folder: Path, to: Path, apart: Path) -> list[str]:
    if (folder / ".git").exists():
        _clone(folder, to)
    to.mkdir(parents=True, exist_ok=True)
    notes = []
    for name in _listed(folder):
        here, there = folder / name, to / name
        if apart in (folder.resolve() / name).parents:
            continue
        if here.is_dir() and not here.is_symlink():
            notes.append(f"{name} is a repository of its own (a submodule?) and is left out")
        elif here.is_symlink() or here.is_file():  # a deleted file is listed too, until that is staged
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(here, there, follow_symlinks=False)
    return notes


def _is_left_out(path: Path, apart: Path) -> bool:
    return path == apart or not (path.is_symlink() or path.is_dir() or path.is_file())


def _listed(folder: Path) -> list[str]:
    done = _run(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({os.fsdecode(name) for name in _checked(done).split(b"\0") if name})


def _clone(folder: Path, to: Path) -> None:
    """A repository in ``to`` that borrows the objects of ``folder``'s; no files."""
    _checked(_run(folder, "clone", "-q", "--shared", "--no-checkout", str(folder.resolve()), str(to)))
    if remote := _git(folder, "remote", "get-url", "origin"):
        _checked(_run(to, "remote", "set-url", "origin", remote))
    if commit := _git(folder, "rev-parse", "--verify", "-q", "HEAD^{commit}"):
        _checked(_run(to, "update-ref", "--no-deref", "HEAD", commit))
        _checked(_run(to, "reset", "-q", "--mixed"))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, without the last newline; None where it fails or is not there."""
    try:
        done = _run(folder, *arguments)
    except FileNotFoundError:
        return None
    return os.fsdecode(done.stdout).rstrip("\n") if done.returncode == 0 else None


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Without the variables that would make git look at another repository, as in a hook."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, env=environment)


def _checked(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        why = " ".join(os.fsdecode(done.stderr).split())
        raise SetupError(f"the source cannot be copied: {' '.join(done.args[3:5])}: {why}")
    return done.stdout
