"""The command line: one build, or those of a batch one after the other, and their result."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ci.local_codebuild import __doc__ as about
from ci.local_codebuild import build, environment, source, stored_values
from ci.local_codebuild.batch import Task, select
from ci.local_codebuild.build import FAILED, STOPPED, SUCCEEDED, BuildResult, Place
from ci.local_codebuild.buildspec import Buildspec, read_file
from ci.local_codebuild.shell import STOPS, Stopped
from trainyard.errors import SetupError, UsageError, UserError

DEFAULT_OUTPUT = Path(".trainyard", "codebuild")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the command line asks for, with every path absolute."""

    folder: Path
    output: Path
    in_place: bool
    batch: bool
    project: str
    start: Mapping[str, str]
    project_env: Mapping[str, str]
    event: environment.Event | None
    origin: source.Origin
    to_stderr: bool


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        run = _run_of(args)
        spec = read_file(run.folder / args.buildspec, args.buildspec)
        tasks = _tasks(spec, args)
        specs = {task.identifier: _spec_of(task, spec, run) for task in tasks}
        _make_output(run.output)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    results = [BuildResult(identifier=task.identifier) for task in tasks]
    fast_fail = bool(args.batch and spec.batch and spec.batch.fast_fail)
    number = 0
    try:
        with _stoppable():
            _run_all(tasks, specs, run, results, fast_fail)
    except Stopped as stopped:
        number = stopped.number
    status = STOPPED if number else _overall(tasks, results)
    document = {"status": status, "output": str(run.output), "builds": [_as_json(each) for each in results]}
    text = json.dumps(document, indent=2) + "\n"
    (run.output / "result.json").write_text(text)
    try:
        print(text if args.json else f"{status}: {run.output}\n", end="", flush=True)
    except BrokenPipeError:  # or Python fails once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + number if number else int(status != SUCCEEDED)


def _run_all(
    tasks: list[Task], specs: Mapping[str, Buildspec], run: Run, results: list[BuildResult], fast_fail: bool
) -> None:
    """Run the builds in order, leaving out what depends on a failed one."""
    lost: set[str] = set()
    for number, (task, result) in enumerate(zip(tasks, results, strict=True), 1):
        failed = sorted(lost.intersection(task.depends_on))
        if failed:
            result.message = f"needs {', '.join(failed)}"
        elif fast_fail and lost:
            result.status, result.message = STOPPED, f"fast-fail: {', '.join(sorted(lost))} failed"
        else:
            _run_one(task, specs[task.identifier], run, result, number)
        if result.status != SUCCEEDED and not task.ignore_failure:
            lost.add(task.identifier)


def _run_one(task: Task, spec: Buildspec, run: Run, result: BuildResult, number: int) -> None:
    """Run one build in a folder of its own; what prevents it from beginning makes it FAILED."""
    result.status = STOPPED
    output = run.output / task.identifier
    output.mkdir()
    place = Place(source=run.folder if run.in_place else output / "src", output=output, apart=run.output)
    try:
        if not shutil.which(spec.env.shell):
            raise SetupError(f"env.shell = {spec.env.shell}: there is none on PATH")
        notes = [f"{key} has no effect here" for key in [*spec.ignored, *task.ignored]]
        if not run.in_place:
            notes += source.copy(run.folder, place.source, run.output)
        identity = _identity(task, run, number)
        result.build_id = identity.build_id
        variables, secrets = _variables(task, spec, run, identity, place.source)
    except UserError as error:
        result.status, result.message = FAILED, str(error)
        print(f"{task.identifier}: {error}", file=sys.stderr)
        return
    stream = (sys.stderr if run.to_stderr else sys.stdout).buffer
    build.run(spec, variables, secrets, place, stream, result, notes)


def _identity(task: Task, run: Run, number: int) -> environment.Identity:
    return environment.Identity(
        project=run.project,
        uuid=str(uuid.uuid4()),
        number=number,
        started=time.time(),
        region=environment.region_of({**os.environ, **run.project_env, **run.start}),
        task=task.identifier if run.batch else None,
    )


def _variables(
    task: Task, spec: Buildspec, run: Run, identity: environment.Identity, folder: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables that the build begins with, and those of them that are secret."""
    given = {**run.project_env, **task.variables, **run.start}
    secrets = stored_values.resolve(
        {name: at for name, at in spec.env.parameter_store.items() if name not in given},
        {name: at for name, at in spec.env.secrets_manager.items() if name not in given},
        identity.region,
    )
    caller = environment.inherited(os.environ)
    built_in = environment.built_in(identity, folder, run.origin, run.event)
    return {**caller, **built_in, **spec.env.variables, **secrets, **given}, secrets


def _overall(tasks: list[Task], results: list[BuildResult]) -> str:
    counted = [result.status for task, result in zip(tasks, results, strict=True) if not task.ignore_failure]
    return SUCCEEDED if all(status == SUCCEEDED for status in counted) else FAILED


def _as_json(result: BuildResult) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(result).items() if key != "message" or value}


def _tasks(spec: Buildspec, args: argparse.Namespace) -> list[Task]:
    if args.only and not args.batch:
        raise UsageError("--only chooses builds of a batch; give --batch too")
    if not args.batch:
        return [Task(identifier="build", variables={})]
    if spec.batch is None:
        raise UsageError(f"--batch: {args.buildspec} has no batch section")
    return select(spec.batch, args.only)


def _spec_of(task: Task, spec: Buildspec, run: Run) -> Buildspec:
    return read_file(run.folder / task.buildspec, task.buildspec) if task.buildspec else spec


def _run_of(args: argparse.Namespace) -> Run:
    folder = args.source.resolve()
    if not folder.is_dir():
        raise UsageError(f"--source {args.source}: there is no such folder")
    output = args.output or DEFAULT_OUTPUT / time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}")
    return Run(
        folder=folder,
        output=output.resolve(),
        in_place=args.in_place,
        batch=args.batch,
        project=args.project or folder.name or "project",
        start=environment.parse_assignments("--env", args.env),
        project_env=environment.parse_assignments("--project-env", args.project_env),
        event=environment.parse_event(args.event) if args.event else None,
        to_stderr=args.json,
        origin=source.origin(folder),
    )


def _make_output(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"--output {folder}: {error.strerror}") from error
    if filled:
        raise UsageError(f"--output {folder}: is not empty; give a new folder")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, the first of STOPS raises Stopped; those that follow are ignored, so that all is ended."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ci.local_codebuild",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "buildspec",
        nargs="?",
        default="buildspec.yml",
        help="file, relative to the source (default: %(default)s)",
    )
    add("--source", type=Path, default=Path(), help="folder to build (default: this one)")
    add("--in-place", action="store_true", help="run in that folder itself, not in a copy")
    add(
        "--output",
        type=Path,
        help=f"new folder for all that is left (default: a new one in {DEFAULT_OUTPUT})",
    )
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="variable of start-build")
    add("--project-env", action="append", default=[], metavar="NAME=VALUE", help="variable of the project")
    add("--project", help="name of the project (default: the folder's)")
    add("--batch", action="store_true", help="run the builds of the batch section")
    add("--only", action="append", default=[], metavar="IDENTIFIER", help="run only this build of the batch")
    add("--event", help="what started it: push:BRANCH, pr:NUMBER[:BASE] or tag:NAME")
    add(
        "--json",
        action="store_true",
        help="print the result as JSON, and what commands print on standard error",
    )
    return parser
