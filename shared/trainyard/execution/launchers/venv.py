"""Run jobs as processes of a virtual environment, each host in namespaces of its own where Linux allows it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainyard.execution.environments import Environments
from trainyard.execution.request import Ended, JobRequest, Mount, StagedHost, StopSignal
from trainyard.execution.targets import Target
from trainyard.families import Family
from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl

_SANDBOX = Path(__file__).with_name("sandbox.py")
_SHARED = Path(__file__).resolve().parents[3]
_PASSED_ON = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TZ")
_LOOK_EVERY = 0.1


@dataclass
class _Running:
    host: StagedHost
    process: subprocess.Popen[bytes]
    status: int
    exit_code: int | None = None

    def reap(self) -> None:
        self.exit_code = self.process.wait()
        if self.exit_code < 0:
            self.exit_code = 128 - self.exit_code
        os.close(self.status)


class VenvLauncher:
    """Launcher for families (an environment made from their lock) and for ``venv:PATH`` targets.

    ``isolate=False`` does without namespaces, as it happens by itself where the kernel refuses them.
    """

    def __init__(
        self, environments: Environments, families: Mapping[str, Family], *, isolate: bool = True
    ) -> None:
        self._environments = environments
        self._families = families
        self._isolate = isolate and sys.platform == "linux"

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        running = [self._start(request, host) for host in hosts]
        deadline = time.monotonic() + request.max_runtime
        kill_at = float("inf")
        stopped: Literal["", "Stopped", "MaxRuntimeExceeded"] = ""
        while any(job.exit_code is None for job in running):
            _wait(running)
            tick()
            now = time.monotonic()
            failed = any(job.exit_code for job in running)
            if kill_at == float("inf") and (stop.requested or failed or now > deadline):
                if not failed:
                    stopped = "Stopped" if stop.requested else "MaxRuntimeExceeded"
                kill_at = now + request.grace
                _signal(running, signal.SIGTERM)
            if now > kill_at or (stop.hurried and kill_at != float("inf")):
                _signal(running, signal.SIGKILL)
        tick()
        return Ended(exit_codes=tuple(job.exit_code or 0 for job in running), stopped=stopped)

    def _start(self, request: JobRequest, host: StagedHost) -> _Running:
        python = self._python(request.target)
        if self._isolate:
            running, refusal = self._spawn(request, host, python, isolate=True)
            if not refusal:
                return running
            running.reap()
            self._isolate = False
            _note(host, f"{refusal}; {DEFAULT_BASE} stands at {host.ml} instead: scripts must take paths from "
                        "their arguments or SAGEMAKER_BASE_DIR, and host names are not resolved")  # fmt: skip
        running, refusal = self._spawn(request, host, python, isolate=False)
        return running

    def _python(self, target: Target) -> Path:
        if target.kind == "venv":
            return Path(target.name) / "bin" / "python"
        return self._environments.python(self._families[target.name])

    def _spawn(
        self, request: JobRequest, host: StagedHost, python: Path, *, isolate: bool
    ) -> tuple[_Running, str]:
        """Start one host; the text is empty, or says why there can be no namespaces."""
        mounts = list(host.mounts)
        if request.target.kind == "family":
            code = self._families[request.target.name].folder
            mounts.append(Mount(source=code, container_path=OptMl().code.as_posix(), read_only=True))
        if not isolate:
            _do_without_mounts(host, mounts)
        base = DEFAULT_BASE if isolate else str(host.ml)
        environment = {
            name: value.replace(DEFAULT_BASE, base)
            for name, value in _environment(request, host, python).items()
        }
        if not isolate:
            environment |= {"SAGEMAKER_BASE_DIR": base, "SM_STUDIO_LOCAL_MODE": "True"}
        spec = {
            "isolate": isolate,
            "host": host.name,
            "ml": str(host.ml),
            "scratch": str(host.folder),
            "mounts": _mount_specs(host, mounts) if isolate else [],
            "hosts_file": str(_hosts_file(request, host)),
            "command": [part.replace(DEFAULT_BASE, base) for part in _command(request, python)],
            "cwd": f"{base}/code",
        }
        spec_file = host.folder / "sandbox.json"
        spec_file.write_text(json.dumps(spec))
        reader, writer = os.pipe()
        with host.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SANDBOX), str(spec_file), str(writer)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                pass_fds=(writer,), start_new_session=True,
            )  # fmt: skip
        os.close(writer)
        answer = os.read(reader, 500).decode()
        return _Running(host, process, reader), "" if answer in {"ok", ""} else answer


def _environment(request: JobRequest, host: StagedHost, python: Path) -> dict[str, str]:
    """What a container's environment would be: nothing of the caller's but what its libraries need."""
    home = python.parent.parent / "home"
    home.mkdir(exist_ok=True)
    temporary = host.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": f"{python.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(_SHARED),
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **request.platform_environment,
        **request.environment,
    }


def _command(request: JobRequest, python: Path) -> list[str]:
    if request.command:
        return list(request.command)
    if request.target.kind == "family":
        return [str(python), "-m", "trainyard.in_image.train"]
    return ["train"]


def _hosts_file(request: JobRequest, host: StagedHost) -> Path:
    """Loopback addresses of their own let every host listen on the same port."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"127.0.0.{10 + number} {name}" for number, name in enumerate(request.hosts, 1)]
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


def _note(host: StagedHost, text: str) -> None:
    with host.log.open("a") as log:
        log.write(f"trainyard: {text}\n")


def _wait(running: Sequence[_Running]) -> None:
    """Until a host ends, at most a moment: its status pipe reaches its end when it does."""
    open_jobs = {job.status: job for job in running if job.exit_code is None}
    ready, _, _ = select.select(list(open_jobs), [], [], _LOOK_EVERY)
    for status in ready:
        if not os.read(status, 100):
            open_jobs[status].reap()


def _signal(running: Sequence[_Running], number: signal.Signals) -> None:
    for job in running:
        if job.exit_code is None:
            job.process.send_signal(number)
