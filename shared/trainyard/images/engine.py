"""Docker Engine, through the ``docker`` command: found, asked, and its refusals turned into one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from trainyard.errors import DockerError

PROGRAM_VARIABLE = "TRAINYARD_DOCKER"
Builder = Literal["buildx", "buildkit", ""]


@dataclass(frozen=True, kw_only=True)
class LocalImage:
    """What ``docker image inspect`` says of one image. ``id`` is the sha256 of its configuration; sizes in bytes."""

    reference: str
    id: str
    size: int
    architecture: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    working_folder: str
    ports: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """``program`` is the docker command; ``builder`` is how it reaches BuildKit, empty where it cannot.

    ``writes_cache``: that builder has a driver of its own (``docker buildx create``); the one inside the engine
    fails when it is told to export its layers.
    """

    program: str
    builder: Builder = ""
    writes_cache: bool = False

    def run(
        self,
        *arguments: str,
        stdin: IO[bytes] | bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """The output of ``docker ARGUMENTS``. Raises DockerError with the last line that docker said."""
        ended = self.try_run(*arguments, stdin=stdin, environment=environment)
        if ended.returncode:
            raise DockerError(f"docker {' '.join(arguments[:2])}: {last_line(ended.stderr)}")
        return ended.stdout.decode("utf-8", "replace")

    def try_run(
        self,
        *arguments: str,
        stdin: IO[bytes] | bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """As ``run``, for callers to whom a refusal is an answer.

        It is left to end whatever it does when Ctrl-C is pressed at the terminal, which is ours to handle.
        """
        source: dict[str, Any] = (
            {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
        )
        command = [self.program, *arguments]
        variables = {**os.environ, **(environment or {})}
        try:
            return subprocess.run(
                command, capture_output=True, env=variables, start_new_session=True, **source
            )
        except OSError as error:  # arguments that are too long, a docker that has been removed
            return subprocess.CompletedProcess(command, 126, b"", str(error.strerror).encode())

    def image(self, reference: str) -> LocalImage | None:
        """The image with this name, tag or digest, if the engine has it."""
        ended = self.try_run("image", "inspect", "--", reference)  # or --help would be an answer
        if ended.returncode:
            if b"No such image" not in ended.stderr:
                raise DockerError(f"docker image inspect {reference}: {last_line(ended.stderr)}")
            return None
        return _local_image(reference, json.loads(ended.stdout)[0])

    def has_gpus(self) -> bool:
        """Whether containers can be given NVIDIA GPUs: the engine has the runtime for them."""
        return "nvidia" in json.loads(self.run("info", "--format", "{{json .Runtimes}}") or "{}")


def find_engine(*, building: bool = False) -> Engine:
    """The first ``docker`` on PATH (or ``$TRAINYARD_DOCKER``) that reaches an engine, and BuildKit if ``building``.

    Raises DockerError, which says what was tried.
    """
    tried = []
    for program in _programs():
        server = _output(program, "version", "--format", "{{.Server.Version}}")
        if server.returncode:
            tried.append(f"{program}: {last_line(server.stderr)}")
            continue
        builder = _builder(program) if building else ""
        if building and not builder:
            tried.append(f"{program}: it has no buildx, and its version needs it to build")
            continue
        return Engine(
            program=program, builder=builder, writes_cache=builder == "buildx" and _exports(program)
        )
    reasons = "; ".join(tried) or f"there is no docker on PATH, and {PROGRAM_VARIABLE} names none"
    remedy = "Install and start it (on Debian and Ubuntu: sudo apt install docker.io)"
    if "permission denied" in reasons:
        remedy = "Join its group (sudo usermod --append --groups docker $USER) and log in anew"
    raise DockerError(f"Docker Engine cannot be used: {reasons}. {remedy}, or do without --with docker")


def last_line(text: bytes) -> str:
    """The last line of a program's errors that says something."""
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("Error response from daemon: ") if lines else "no output"


def _programs() -> list[str]:
    if named := os.environ.get(PROGRAM_VARIABLE):
        return [named]
    found = [Path(folder or ".") / "docker" for folder in os.environ.get("PATH", "").split(os.pathsep)]
    return list(dict.fromkeys(str(file) for file in found if shutil.which(str(file))))


def _builder(program: str) -> Builder:
    if _output(program, "buildx", "version").returncode == 0:
        return "buildx"
    version = _output(program, "version", "--format", "{{.Client.Version}}").stdout.decode().partition(".")[0]
    # since 23 the command leaves all BuildKit builds to buildx
    return "buildkit" if version.isdigit() and int(version) < 23 else ""


def _exports(program: str) -> bool:
    driver = re.search(rb"^Driver:\s*(\S+)", _output(program, "buildx", "inspect").stdout, re.MULTILINE)
    return driver is not None and driver[1] != b"docker"


def _output(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command: Sequence[str] = [program, *arguments]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error.strerror).encode())


def _local_image(reference: str, found: Mapping[str, Any]) -> LocalImage:
    config = found.get("Config") or {}
    return LocalImage(
        reference=reference,
        id=found["Id"],
        size=found["Size"],
        architecture=found["Architecture"],
        labels=config.get("Labels") or {},
        environment=dict(entry.partition("=")[::2] for entry in config.get("Env") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        working_folder=config.get("WorkingDir") or "",
        ports=tuple(config.get("ExposedPorts") or ()),
    )
