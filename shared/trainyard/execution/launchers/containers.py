"""Containers and networks of this process on Docker Engine: made, followed, ended, and never left behind."""

from __future__ import annotations

import csv
import fcntl
import functools
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from trainyard.errors import DockerError
from trainyard.execution.request import Mount
from trainyard.images.engine import Engine

STORE, LOCK = "trainyard.store", "trainyard.lock"
"""Labels: the store that a container or network was made for, and the file that its maker keeps locked."""

_SHARED_MEMORY = 2 << 30  # bytes of /dev/shm; Docker's own 64 MiB are too few for data loaders
_ENV_FILE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_ENV_FILE_LINE = 60_000  # docker reads lines of up to 64 KiB


@contextmanager
def owning(engine: Engine, home: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Arguments that label what is made within the context, all of which is removed at its end.

    If this process dies first, the next one to own something of the same store (``home``) removes it: the
    kernel has let go of the lock in ``folder`` then.
    """
    sweep(engine, home)
    lock = folder / "docker.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield ("--label", f"{STORE}={home}", "--label", f"{LOCK}={lock}")
        finally:
            _remove(engine, lock)
            lock.unlink(missing_ok=True)


def sweep(engine: Engine, home: Path) -> None:
    """Remove what was made for a store by processes that died. Raises DockerError."""
    for lock in _locks(engine, home):
        if not _is_held(lock):
            _remove(engine, lock)


def create(
    engine: Engine,
    image: str,
    command: Sequence[str],
    *,
    options: Sequence[str],
    mounts: Sequence[Mount],
    environment: Mapping[str, str],
    scratch: Path,
) -> str:
    """Make a container, not yet started, that works as the caller; its id. Raises DockerError."""
    user, machine = _user(engine), _machine(engine)
    home = {} if user == "0:0" else {"HOME": "/tmp", "USER": "trainyard", "LOGNAME": "trainyard"}
    arguments = ["create", "--pull", "never", "--user", user, *machine, *options]
    # in a file of its own, with no limit: `docker logs` must not lose lines, whatever the engine's default is
    arguments += ["--log-driver", "json-file", "--log-opt", "max-size=1p"]
    arguments += ["--security-opt", "no-new-privileges"]
    # of mounts at one place, the last one stands
    for mount in {os.path.normpath(mount.container_path): mount for mount in mounts}.values():
        arguments += ["--mount", _mount(mount)]
    file = scratch / "environment"
    try:
        given, of_client = _environment(file, {**home, **environment})
        return engine.run(*arguments, *given, image, *command, environment=of_client).strip()
    finally:
        file.unlink(missing_ok=True)


class RunningContainer:
    """A container from its start on; raises DockerError where it cannot be started.

    Its output goes to ``log``, complete once it has been reaped.
    """

    def __init__(self, engine: Engine, container: str, log: Path) -> None:
        self.exit_code: int | None = None
        self._engine, self._id, self._log = engine, container, log
        if engine.try_run("start", container).returncode:
            reason = engine.run("inspect", "--format", "{{.State.Error}}", container).strip()
            raise DockerError(f"the container cannot be started: {reason}")
        log.touch()
        self._before = log.stat().st_size
        self._ended = self._docker("wait", container, output=subprocess.PIPE)
        with log.open("ab") as output:
            self._follower = self._docker("logs", "--follow", container, output=output)

    @property
    def status(self) -> IO[bytes]:
        assert self._ended.stdout is not None
        return self._ended.stdout

    def wait(self, seconds: float = 0) -> bool:
        """Whether it has ended, or does within that time."""
        try:
            self._ended.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def reap(self) -> int:
        """Wait for the end; the exit code, 128 + signal for a killed one. Raises DockerError."""
        if self.exit_code is None:
            self._ended.wait()
            self.status.close()
            state = json.loads(self._engine.run("inspect", "--format", "{{json .State}}", self._id))
            if state["Running"]:
                raise DockerError(
                    "docker wait: Docker Engine ended it before the container; was it restarted?"
                )
            self._complete_log()
            if state["OOMKilled"]:
                with self._log.open("a") as log:
                    log.write("\ntrainyard: the kernel killed the container, which had no memory left\n")
            self.exit_code = int(state["ExitCode"])
        return self.exit_code

    def terminate(self) -> None:
        if self.exit_code is None:
            self._engine.try_run("kill", "--signal", "TERM", self._id)

    def kill(self) -> None:
        if self.exit_code is None:
            self._engine.try_run("kill", "--signal", "KILL", self._id)

    def address(self, port: int) -> str:
        """Where a published port answers, for example ``127.0.0.1:49153``. Raises DockerError once it has ended."""
        answers = self._engine.run("port", self._id, f"{port}/tcp").split()
        if not answers:
            raise DockerError(f"container {self._id[:12]} has no port {port}: it does not run")
        return answers[0]

    def network_address(self) -> str:
        """Its own address on the one network it has joined. Raises DockerError once it has ended."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = self._engine.run("inspect", "--format", form, self._id).strip()
        if not address:
            raise DockerError(f"container {self._id[:12]} has no address: it does not run")
        return address

    def _complete_log(self) -> None:
        """Take over what is not in the log yet: Docker Engine 20.10 ends following with lines left."""
        try:
            self._follower.wait(10)
        except subprocess.TimeoutExpired:
            self._follower.kill()
            self._follower.wait()
        with self._log.open("ab") as log, self._docker("logs", self._id, output=subprocess.PIPE) as whole:
            assert whole.stdout is not None
            known = log.tell() - self._before
            while chunk := whole.stdout.read(1 << 16):
                log.write(chunk[known:])
                known = max(0, known - len(chunk))

    def _docker(self, *arguments: str, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        # a session of its own: Ctrl-C at the terminal is ours to handle
        return subprocess.Popen(
            [self._engine.program, *arguments], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, bufsize=0, start_new_session=True,
        )  # fmt: skip


def _locks(engine: Engine, home: Path) -> set[Path]:
    """The lock of everything on the engine that was made for this store."""
    found: set[str] = set()
    for kind in ("container", "network"):
        given = ("--all",) if kind == "container" else ()
        lines = engine.run(
            kind, "ls", *given, "--filter", f"label={STORE}={home}", "--format", f'{{{{.Label "{LOCK}"}}}}'
        )
        found.update(line for line in lines.splitlines() if line)
    return {Path(line) for line in found}


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _remove(engine: Engine, lock: Path) -> None:
    """Containers with their anonymous volumes, then networks; what is gone already is no failure."""
    for kind, listing, removal in (
        ("container", ("--all",), ("--force", "--volumes")),
        ("network", (), ()),
    ):
        found = engine.try_run(kind, "ls", *listing, "--quiet", "--filter", f"label={LOCK}={lock}")
        if names := found.stdout.decode().split():
            engine.try_run(kind, "rm", *removal, *names)


def _mount(mount: Mount) -> str:
    fields = ["type=bind", f"source={mount.source}", f"target={mount.container_path}"]
    text = io.StringIO()  # docker reads CSV: a path may hold commas
    csv.writer(text, lineterminator="").writerow([*fields, "readonly"] if mount.read_only else fields)
    return text.getvalue()


def _environment(file: Path, variables: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Arguments that hand variables to a container, and variables that docker itself must have for that.

    They go through a file that only the caller can read: as arguments everybody would see them in ``ps``, and
    in docker's own environment a job's PATH, HOME or DOCKER_HOST would change docker. The file holds a
    line each, so what does not fit on one (a key in PEM, say) goes through docker's environment after all.
    """
    lines, arguments, of_client = "", ["--env-file", str(file)], {}
    for name, value in variables.items():
        is_line = _ENV_FILE_NAME.fullmatch(name) and not {"\n", "\r"} & set(value)
        if is_line and len(f"{name}={value}".encode()) < _ENV_FILE_LINE:
            lines += f"{name}={value}\n"
        else:
            arguments += ["--env", name]
            of_client[name] = value
    file.touch(mode=0o600)
    file.write_text(lines)
    return arguments, of_client


def _user(engine: Engine) -> str:
    """Who the container works as, so that its files are the caller's; with a rootless engine, that is its root."""
    rootless = b"name=rootless" in engine.try_run("info", "--format", "{{.SecurityOptions}}").stdout
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"


@functools.cache
def _machine(engine: Engine) -> tuple[str, ...]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = ("--gpus", "all") if engine.has_gpus() else ()
    return ("--shm-size", str(min(_SHARED_MEMORY, memory // 2)), *gpus)
