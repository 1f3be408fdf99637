"""Run a build's commands: each a script of its own, with the exported variables and the folder of the last.

The shell itself tells what it leaves behind: ``export -p`` at its exit, which the next script reads again.
Where a command replaces the shell (``exec``), or sets a trap on EXIT and then exits, what it exported is lost.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ci.local_codebuild.document import VARIABLE

MARK = "CODEBUILD_BUILD_ID"  # what a build's processes are known by
_GRACE = 3.0  # seconds between SIGTERM and SIGKILL
_SCRIPT = """\
cd -- {folder} || exit
. {state} 2>/dev/null
{overrides}
_codebuild_keep() {{
    {{ set +x; }} 2>/dev/null
    \\command export -p >| {kept}.new && \\command pwd >| {kept_folder}.new
    return "$1"
}}
trap '_codebuild_keep $?' EXIT
{command}

_codebuild_keep $?
"""


STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Stopped(BaseException):
    """The user ended the run; ``number``: the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Shell:
    """``program``: sh or bash; ``fd``: where commands write; ``scratch``: an empty folder for nobody else."""

    def __init__(
        self, program: str, environment: Mapping[str, str], folder: Path, fd: int, scratch: Path
    ) -> None:
        self._program = (
            shutil.which(program) or program
        )  # not by the PATH that it is started with: it has none
        self._build = environment.get(MARK, "")
        self._fd = fd
        self._scratch = scratch
        self._started: list[subprocess.Popen[bytes]] = []
        self._state, self._place = scratch / "exported", scratch / "folder"
        lines = [
            f"export {name}={shlex.quote(value)}\n"
            for name, value in environment.items()
            if re.fullmatch(VARIABLE, name)
        ]
        self._state.write_bytes(os.fsencode("".join(lines)))
        self._place.write_bytes(os.fsencode(f"{folder}\n"))

    def run(self, command: str, **exported: str) -> int:
        """Run one command with these variables on top; its exit status, 128 + n where signal n ended it."""
        status = self._run(command, exported)
        new = [path.with_name(f"{path.name}.new") for path in (self._state, self._place)]
        if all(path.exists() for path in new):  # the folder is written last
            for path, to in zip(new, (self._state, self._place), strict=True):
                path.replace(to)
        return status

    def expand(self, text: str) -> str | None:
        """What the shell makes of ``text`` between double quotes; None where that fails."""
        found = self._scratch / "expanded"
        status = self._run(f'printf %s "{text}" >| {shlex.quote(str(found))}', {})
        return os.fsdecode(found.read_bytes()) if status == 0 else None

    def value(self, name: str) -> str | None:
        """An exported variable's value now; None where there is none."""
        return self.expand(f"${name}") if self._run(f'[ "${{{name}+set}}" ]', {}) == 0 else None

    def close(self) -> None:
        """End what the commands left running."""
        deadline = time.monotonic() + _GRACE
        number = signal.SIGTERM
        told: set[int] = set()
        while left := self._left():
            for pid in left - told:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            told |= left
            if time.monotonic() > deadline:
                if number == signal.SIGKILL:
                    break  # not ours to kill, or stuck in the kernel
                number, told, deadline = signal.SIGKILL, set(), time.monotonic() + 1
            time.sleep(0.02)
        for process in self._started:
            process.wait()

    def _run(self, command: str, exported: Mapping[str, str]) -> int:
        script = self._scratch / "script.sh"
        new = [f"{path}.new" for path in (self._state, self._place)]
        for leftover in new:
            Path(leftover).unlink(missing_ok=True)
        text = _SCRIPT.format(
            folder=shlex.quote(os.fsdecode(self._place.read_bytes()[:-1])),
            state=shlex.quote(str(self._state)),
            overrides="\n".join(f"export {name}={shlex.quote(value)}" for name, value in exported.items()),
            kept=shlex.quote(str(self._state)),
            kept_folder=shlex.quote(str(self._place)),
            command=command,
        )
        script.write_bytes(os.fsencode(text))
        process = subprocess.Popen(
            [self._program, str(script)], stdin=subprocess.DEVNULL, stdout=self._fd, stderr=self._fd,
            cwd="/", env={MARK: self._build}, start_new_session=True,
        )  # fmt: skip
        self._started.append(process)
        # Reaped when the build ends only: until then nobody else can get the number of its group.
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        return ended.si_status if ended.si_code == os.CLD_EXITED else 128 + ended.si_status

    def _left(self) -> set[int]:
        """Living processes in the groups of the commands, or with the build's mark in their environment."""
        groups = {process.pid for process in self._started}
        mark = os.fsencode(f"{MARK}={self._build}")
        left = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):  # it ended meanwhile, or is another user's
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                environment = (entry / "environ").read_bytes().split(b"\0") if self._build else []
                if state not in "ZX" and (int(group) in groups or mark in environment):
                    left.add(int(entry.name))
        return left
