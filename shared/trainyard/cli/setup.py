"""Make the repository's .venv and install locks into it: quietly, one process at a time, once."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from trainyard.cli import environment
from trainyard.errors import SetupError


def install(root: Path, lock: str) -> None:
    """Bring .venv to the state of ``lock``; returns at once when another process has just done it.

    The installers' output goes to ``.venv/setup.log``. Raises SetupError, which names the log.
    """
    venv = root / ".venv"
    try:
        venv.mkdir(exist_ok=True)
        with (venv / "busy").open("w") as busy:
            _wait_for(busy)
            missing = environment.missing(root, lock)
            if missing:
                _Setup(root, busy).install(missing)
    except OSError as error:
        raise SetupError(f"{venv} cannot be set up: {error}") from error


def _wait_for(busy: IO[str]) -> None:
    """Hold the file's lock. Installers inherit it, so that those of a killed set-up are waited for too."""
    try:
        fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("trainyard: another command is setting up .venv; waiting for it", file=sys.stderr)
        fcntl.flock(busy, fcntl.LOCK_EX)


class _Setup:
    """One set-up, by the process that holds ``busy``."""

    def __init__(self, root: Path, busy: IO[str]) -> None:
        self._root = root
        self._venv = root / ".venv"
        self._python = str(environment.python(root))
        self._log = self._venv / "setup.log"
        self._busy = busy
        self._terminal = sys.stderr.isatty()

    def install(self, locks: Sequence[str]) -> None:
        start = time.monotonic()
        self._begin()
        if not environment.python(self._root).exists():
            self._make_venv()
        for lock in locks:
            self._install(lock)
        environment.unfinished(self._root).unlink()
        self._say(f"set-up took {time.monotonic() - start:.0f} s; it is not repeated", final=True)

    def _begin(self) -> None:
        unfinished = environment.unfinished(self._root)
        if unfinished.exists() or not environment.python(self._root).exists():
            for path in self._venv.iterdir():
                if path.name != "busy":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        unfinished.touch()
        self._log.unlink(missing_ok=True)

    def _make_venv(self) -> None:
        ensurepip = importlib.util.find_spec("ensurepip")
        if ensurepip is None or ensurepip.origin is None:  # the second: a folder that was left behind
            raise SetupError(
                f"{sys.executable} cannot make virtual environments, because it has no ensurepip; on Debian "
                f"and Ubuntu: sudo apt install python3.{sys.version_info.minor}-venv; then run this again"
            )
        if not self._run("making .venv", [sys.executable, "-I", "-m", "venv", str(self._venv)]):
            raise self._failure(".venv could not be made")
        packages = next(self._venv.glob("lib/python*/site-packages"))
        up = os.path.relpath(self._root, packages)
        (packages / "trainyard.pth").write_text(f"{up}/shared\n{up}\n")
        self._run(
            "getting uv, the installer", [*self._pip(), "--only-binary=:all:", *self._hashed("installer")]
        )

    def _install(self, lock: str) -> None:
        """With uv, or where that cannot be had or reaches no index, with pip."""
        uv = self._venv / "bin" / "uv"
        commands = [[*self._pip(), *self._hashed(lock)]]
        if uv.exists():
            commands.insert(0, [str(uv), "pip", "install", "--python", self._python, *self._hashed(lock)])
        for command in commands:
            if self._run(f"installing requirements/{lock}.txt with {Path(command[0]).name}", command):
                environment.marker(self._root, lock).write_text(environment.digest(self._root, lock))
                return
        raise self._failure(f"requirements/{lock}.txt could not be installed")

    def _pip(self) -> list[str]:
        return [self._python, "-I", "-m", "pip", "install"]

    def _hashed(self, lock: str) -> list[str]:
        return ["--require-hashes", "-r", str(environment.requirements(self._root, lock))]

    def _failure(self, what: str) -> SetupError:
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no output"]
        reason = next((line for line in lines if line.lower().startswith("error")), lines[-1])
        return SetupError(
            f"{what}: {reason.strip()}; the whole output is in {self._log}; "
            "check the network and the disk, then run the command again"
        )

    def _run(self, what: str, command: Sequence[str]) -> bool:
        start = time.monotonic()
        self._say(what)
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self._root,
                env={**os.environ, "PIP_USER": "0"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[self._busy.fileno()],
            )
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if self._terminal:
                    lines = self._log.read_text(errors="replace").strip().splitlines()[-1:]
                    self._say(f"{what}, {time.monotonic() - start:.0f} s", *lines)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        return process.returncode == 0

    def _say(self, *parts: str, final: bool = False) -> None:
        """One line that is written over on a terminal, a line each elsewhere."""
        line = f"trainyard: {': '.join(parts)}"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{line[:width]}" + "\n" * final)
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
