"""Start processes of virtual environments in sandboxes, or where the kernel refuses those, without."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from trainyard.execution.environments import Environments
from trainyard.execution.request import Mount, StagedHost
from trainyard.execution.targets import Target
from trainyard.families import Family
from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl

_SANDBOX = Path(__file__).with_name("sandbox.py")
_SHARED = Path(__file__).resolve().parents[3]
_PASSED_ON = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")


@dataclass
class HostProcess:
    """The process of one host. ``status`` is a pipe that reaches its end when the process does.

    Threads may ask at once whether it has ended: a file is closed once, a number might be somebody else's by then.
    """

    host: StagedHost
    process: subprocess.Popen[bytes]
    status: FileIO
    isolated: bool
    exit_code: int | None = None

    def reap(self) -> int:
        """Wait for the end; the exit code, 128 + signal for a killed one."""
        if self.exit_code is None:
            code = self.process.wait()
            self.exit_code = code if code >= 0 else 128 - code
            self.status.close()
        return self.exit_code

    def terminate(self) -> None:
        if self.exit_code is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it has started: the kernel's task in namespaces, the supervisor's without."""
        if self.exit_code is None:
            self.process.send_signal(signal.SIGKILL if self.isolated else signal.SIGUSR1)


class Sandboxes:
    """Starts what stands for containers.

    ``isolate=False`` does without namespaces, as it happens by itself where the kernel refuses them.
    """

    def __init__(
        self, environments: Environments, families: Mapping[str, Family], *, isolate: bool = True
    ) -> None:
        self._environments = environments
        self._families = families
        self._isolate = isolate and sys.platform == "linux"
        self._refusal = ""

    def start(
        self,
        target: Target,
        host: StagedHost,
        command: Sequence[str],
        environment: Mapping[str, str],
        hosts: Sequence[str],
    ) -> HostProcess:
        """Start a command of a target as one of ``hosts``; its output goes to the host's log.

        Returns when the process is about to start. Raises SetupError where the target has no environment.
        """
        python = self._python(target)
        mounts = list(host.mounts)
        if target.kind == "family":
            code = self._families[target.name].folder
            mounts.append(Mount(source=code, container_path=OptMl().code.as_posix(), read_only=True))
        # a home of the environment's own keeps caches from job to job; nothing is written into other people's
        home = (python.parent.parent if target.kind == "family" else host.folder) / "home"
        environment = _environment(environment, host, python, home)
        if self._isolate:
            spec = {"mounts": _mount_specs(host, mounts), "hosts_file": str(_hosts_file(host, hosts))}
            started, refusal = _spawn(host, list(command), environment, isolate=True, **spec)
            if not refusal:
                return started
            started.reap()
            self._refusal, self._isolate = refusal, False
        if self._refusal:  # every log says so: people read that of the step that failed
            _note(host, self._refusal)
        _do_without_mounts(host, mounts)
        base = str(host.ml)
        moved = {name: value.replace(DEFAULT_BASE, base) for name, value in environment.items()}
        moved |= {"SAGEMAKER_BASE_DIR": base, "SM_STUDIO_LOCAL_MODE": "True"}
        parts = [part.replace(DEFAULT_BASE, base) for part in command]
        return _spawn(host, parts, moved, isolate=False, mounts=[])[0]

    def _python(self, target: Target) -> Path:
        if target.kind == "venv":
            return Path(target.name) / "bin" / "python"
        return self._environments.python(self._families[target.name])


def _spawn(
    host: StagedHost, command: list[str], environment: Mapping[str, str], *, isolate: bool, **more: object
) -> tuple[HostProcess, str]:
    """Start a sandbox; the text is empty, or says why there can be no namespaces."""
    cwd = f"{DEFAULT_BASE if isolate else host.ml}/code"
    names = {"host": host.name, "ml": str(host.ml), "scratch": str(host.folder)}
    spec_file = host.folder / "sandbox.json"
    spec_file.write_text(json.dumps({"isolate": isolate, "command": command, "cwd": cwd, **names, **more}))
    reader, writer = os.pipe()
    with host.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SANDBOX), str(spec_file), str(writer)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            pass_fds=(writer,), start_new_session=True,
        )  # fmt: skip
    os.close(writer)
    status = FileIO(reader)
    answer = status.read(500).decode()
    return HostProcess(host, process, status, isolate), "" if answer in {"ok", ""} else answer


def _environment(requested: Mapping[str, str], host: StagedHost, python: Path, home: Path) -> dict[str, str]:
    """What a container's environment would be: nothing of the caller's but what its libraries need."""
    home.mkdir(exist_ok=True)
    temporary = host.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": f"{python.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(_SHARED),
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **requested,
    }


def _hosts_file(host: StagedHost, hosts: Sequence[str]) -> Path:
    """Loopback addresses of their own let every host listen on the same port."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    job = hashlib.sha256(str(host.folder.parent).encode()).digest()  # and every job, beside others
    lines += [f"127.{job[0] % 254 + 1}.{job[1]}.{10 + number} {name}" for number, name in enumerate(hosts, 1)]
    file = host.folder / "hosts"
    file.write_text("\n".join(lines) + "\n")
    return file


def _mount_specs(host: StagedHost, mounts: Sequence[Mount]) -> list[dict[str, object]]:
    for mount in mounts:
        OptMl(host.ml).at(mount.container_path).mkdir(parents=True, exist_ok=True)
    return [
        {"source": str(mount.source), "target": mount.container_path, "read_only": mount.read_only}
        for mount in mounts
    ]


def _do_without_mounts(host: StagedHost, mounts: Sequence[Mount]) -> None:
    """Inputs become copies, so that a job that writes to them cannot change the store; the rest, links."""
    for mount in mounts:
        place = OptMl(host.ml).at(mount.container_path)
        if place != mount.source:
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            if not place.is_symlink():
                place.symlink_to(mount.source)
            continue
        for file in [path for path in place.rglob("*") if path.is_file()]:
            copy = file.with_name(f"{file.name[:200]}.copy")
            shutil.copyfile(file, copy)
            copy.replace(file)


def _note(host: StagedHost, refusal: str) -> None:
    with host.log.open("a") as log:
        log.write(
            f"trainyard: {refusal}; {DEFAULT_BASE} stands at {host.ml} instead: scripts must take paths from "
            "their arguments or SAGEMAKER_BASE_DIR, and host names are not resolved\n"
        )
