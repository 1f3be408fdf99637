"""One build: its phases in order, what follows a failure, and what it leaves.

Source: https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html#view-build-details-phases
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci.local_codebuild.artifacts import Uncollected, collect, folder_name
from ci.local_codebuild.buildspec import Buildspec, Files, Phase
from ci.local_codebuild.output import Mask, Output
from ci.local_codebuild.schema import PHASES
from ci.local_codebuild.shell import STOPS, Shell, Stopped

SUCCEEDED, FAILED, STOPPED, SKIPPED = "SUCCEEDED", "FAILED", "STOPPED", "SKIPPED"
UPLOAD = "UPLOAD_ARTIFACTS"


@dataclass(frozen=True, kw_only=True)
class Place:
    """``source``: where the commands run; ``output``: this build's folder; ``apart``: those of all builds."""

    source: Path
    output: Path
    apart: Path

    @property
    def log(self) -> Path:
        return self.output / "build.log"


@dataclass(frozen=True, kw_only=True)
class PhaseResult:
    """``message``: why it failed, as CodeBuild's phase context."""

    name: str
    status: str
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """``status``: GENERATED, or INCOMPLETE where no file matched; ``files``: below the output folder."""

    status: str
    format: str
    files: tuple[str, ...] = ()


@dataclass(kw_only=True)
class BuildResult:
    """``artifacts``: files below the output folder; ``reports``: by group."""

    identifier: str
    build_id: str = ""
    status: str = SKIPPED
    phases: list[PhaseResult] = field(default_factory=list)
    exported_variables: dict[str, str] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    reports: dict[str, ReportResult] = field(default_factory=dict)
    message: str = ""


def run(
    spec: Buildspec, variables: Mapping[str, str], secrets: Mapping[str, str], place: Place, stream: BinaryIO,
    result: BuildResult, notes: list[str],
) -> None:  # fmt: skip
    """Run one build; what becomes of it is in ``result``, whose status is still STOPPED where Stopped is raised.

    ``secrets``: those of ``variables`` that are hidden in what is printed; ``notes``: lines to print first.
    """
    output = Output(stream, place.log, Mask(secrets.values()))
    result.status = STOPPED
    with tempfile.TemporaryDirectory(prefix="codebuild-") as scratch:
        shell = Shell(spec.env.shell, variables, place.source, output.fd, Path(scratch))
        try:
            for note in notes:
                output.say(note)
            _phases(spec, shell, output, result)
            with _phase(UPLOAD, output, result) as failures:
                exported = {name: shell.value(name) for name in spec.env.exported}
                _export(exported, output, result)
                failures += _upload(spec, place, shell, output, result)
            failed = any(phase.status == FAILED for phase in result.phases)
            result.status = FAILED if failed else SUCCEEDED
        finally:
            with _uninterrupted():
                output.say(f"{result.identifier}: {result.status}")
                shell.close()
                output.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals wait until what is inside is done, or it would leave processes behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _phases(spec: Buildspec, shell: Shell, output: Output, result: BuildResult) -> None:
    goes_on = succeeding = True
    for name in PHASES:
        phase = spec.phases.get(name, Phase())
        if not goes_on:
            result.phases.append(PhaseResult(name=name.upper(), status=SKIPPED))
            continue
        with _phase(name.upper(), output, result) as failures:
            for commands in (phase.commands, phase.finally_):
                failed = _commands(commands, shell, output, succeeding and not failures)
                failures += failed
        if result.phases[-1].status == FAILED:
            succeeding = False
            default = "ABORT" if name in ("install", "pre_build") else "CONTINUE"
            goes_on = (phase.on_failure or default) == "CONTINUE"


def _commands(commands: tuple[str, ...], shell: Shell, output: Output, succeeding: bool) -> list[str]:
    """Run them up to the first that fails; why it failed."""
    for command in commands:
        output.say(f"Running command {command}")
        status = shell.run(command, CODEBUILD_BUILD_SUCCEEDING=str(int(succeeding)))
        if status:
            message = f"Error while executing command: {command}. Reason: exit status {status}"
            output.say(message)
            return [message]
    return []


@contextmanager
def _phase(name: str, output: Output, result: BuildResult) -> Iterator[list[str]]:
    """Time what is done inside; it failed where the list has got messages."""
    output.say(f"Entering phase {name}")
    begin, failures, status = time.monotonic(), list[str](), STOPPED
    try:
        yield failures
        status = FAILED if failures else SUCCEEDED
    except Stopped as stopped:
        failures.append(str(stopped))
        raise
    finally:
        seconds = round(time.monotonic() - begin, 3)
        message = output.mask.whole("; ".join(failures))
        result.phases.append(PhaseResult(name=name, status=status, seconds=seconds, message=message))
        output.say(f"Phase complete: {name} State: {status}")


def _export(values: Mapping[str, str | None], output: Output, result: BuildResult) -> None:
    for name, value in values.items():
        if value is None:
            output.say(f"exported variable {name} is not set")
        result.exported_variables[name] = output.mask.whole(value or "")


def _upload(spec: Buildspec, place: Place, shell: Shell, output: Output, result: BuildResult) -> list[str]:
    """Collect reports and artifacts; why artifacts could not be."""
    for group, report in spec.reports.items():
        to = Path("reports", group.rpartition("/")[2])
        try:
            names = tuple(_collect(report.files, to, place, shell))
            result.reports[group] = ReportResult(status="GENERATED", format=report.format, files=names)
        except Uncollected as error:
            result.reports[group] = ReportResult(status="INCOMPLETE", format=report.format)
            output.say(f"report group {group}: {error}")
    failures = []
    wanted: dict[str, Files] = {"artifacts": spec.artifacts} if spec.artifacts else {}
    wanted |= {f"secondary-artifacts/{name}": files for name, files in spec.secondary_artifacts.items()}
    for name, files in wanted.items():
        try:
            to = Path(name, folder_name(files, shell.expand))
            result.artifacts += _collect(files, to, place, shell)
        except Uncollected as error:
            failures.append(f"{name}: {error}")
            output.say(failures[-1])
    return failures


def _collect(files: Files, to: Path, place: Place, shell: Shell) -> list[str]:
    try:
        names = collect(files, place.source, place.output / to, place.apart, shell.expand)
    except OSError as error:
        raise Uncollected(f"{error.strerror}: {error.filename}") from error
    return [str(to / name) for name in names]
