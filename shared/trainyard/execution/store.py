"""The one folder that holds everything a run leaves: state, objects, jobs and environments."""

from __future__ import annotations

import os
import secrets
import sqlite3
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from trainyard.errors import DiskFull, NotFound, StoreError
from trainyard.execution.locks import Locks
from trainyard.execution.recording import Recorder
from trainyard.execution.resources import DIED, Resources
from trainyard.execution.s3 import ObjectStore, disk_errors
from trainyard.execution.state import Row, State
from trainyard.families import repository_root
from trainyard.registry.packages import Registry

DEFAULT_BUCKET = "trainyard-local"
_UNDER_WAY = ("Starting", "Executing", "Stopping")

_README = """This folder belongs to trainyard: what its local runs made. It can be deleted as a whole.

state.sqlite3   executions, steps, the model registry
s3/             the local S3: s3/BUCKET/KEY
s3-digests/     checksums of its objects, as the local endpoint has read them
jobs/           one folder per job: its log, and its files if it failed
hosts/          what the containers of endpoints print
venvs/          the families' environments
compiled/       compiled pipeline definitions
builds/         what building each family's image printed last
checks/         stores of `trainyard check`, kept for --quick
codebuild/      what local runs of buildspec.yml left
functions/      logs of Lambda functions
function-code/  their code; function-runs/ has what runs now
callbacks/      messages of callback steps that wait, where there is no queue
locks/          which executions have a living process
"""


class Store:
    """Opens ``$TRAINYARD_HOME``, or ``.trainyard`` in the repository, and makes it if it is not there."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or default_home()).absolute()
        with disk_errors(self.home):
            try:
                for name in ("s3", "jobs", "venvs", "locks"):
                    (self.home / name).mkdir(parents=True, exist_ok=True)
                readme = self.home / "README"
                if not readme.exists():
                    readme.write_text(_README)
            except (FileExistsError, NotADirectoryError, PermissionError) as error:
                raise StoreError(
                    f"{self.home} cannot be the store: {error.strerror}; set TRAINYARD_HOME to a folder of yours"
                ) from error
        self.objects = ObjectStore(self.home / "s3")
        self._locks = Locks(self.home / "locks")
        self._owner = secrets.token_hex(8)
        try:
            self.state = State(self.database)
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.database} cannot be used: {error}; move it away to start anew"
            ) from error

    @property
    def database(self) -> Path:
        return self.home / "state.sqlite3"

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.database)

    @cached_property
    def resources(self) -> Resources:
        return Resources(self.database, self._lost)

    @cached_property
    def recorder(self) -> Recorder:
        """The jobs of this process, which the kernel's lock on a file of its own says is alive."""
        self._locks.sweep()
        self._process = self._locks.take(f"process-{self._owner}")
        return Recorder(self.resources, self._owner)

    def _lost(self, owner: str, kind: str, name: str) -> str:
        if owner == self._owner:
            return self.recorder.lost(kind, name)
        return "" if self._locks.held(f"process-{owner}") else DIED

    def job_folder(self, job: str) -> Path:
        return self.home / "jobs" / job

    def logs(self, job: str) -> list[Path]:
        """The log of each host of a job, algo-1 first."""
        return sorted(self.job_folder(job).glob("algo-*.log"), key=lambda path: (len(path.name), path.name))

    @contextmanager
    def living(self, name: str, what: str = "execution") -> Iterator[None]:
        """Hold the mark that says: a process works on this. The kernel takes it away with the process.

        Raises StoreError when another process holds it.
        """
        lock = f"{what}-{name}"
        for _ in range(20):  # somebody who only looks holds it for a moment
            if file := self._locks.take(lock):
                try:
                    yield
                finally:
                    self._locks.drop(lock, file)
                return
            time.sleep(0.05)
        raise StoreError(f"{what} {name} is running in another process; wait, or stop that one")

    def execution(self, execution: str) -> Row:
        """An execution's row; one whose process died without a word is shown, and recorded, as Failed.

        Raises NotFound. ``last`` means the newest one.
        """
        rows = self.state.executions(1)
        name = rows[0]["id"] if execution == "last" and rows else execution
        row = self.state.execution(name)
        if row is None:
            raise NotFound(
                f"no execution {execution!r}; `trainyard executions` lists them, 'last' is the newest"
            )
        return self._checked(row)

    def executions(self, limit: int = 100, pipeline: str = "") -> list[Row]:
        """The newest first; those of one pipeline, or of all."""
        return [self._checked(row) for row in self.state.executions(limit, pipeline)]

    def _checked(self, row: Row) -> Row:
        if row["status"] not in ("Executing", "Stopping"):
            return row
        lock = self._locks.take(f"execution-{row['id']}", shared=True)
        if lock is None:
            return row
        with lock:  # held, so that nobody resumes it meanwhile
            row = self.state.execution(row["id"]) or row
            if row["status"] not in ("Executing", "Stopping"):  # it ended properly between the two looks
                return row
            reason = f"its process died; go on with: trainyard run --resume {row['id']}"
            with suppress(DiskFull, StoreError):  # shown so, and recorded when there is room again
                for step in self.state.steps(row["id"]):
                    if step["status"] in _UNDER_WAY:
                        self.state.update_step(
                            row["id"], step["name"], status="Failed", failure="its process died"
                        )
                self.state.update_execution(row["id"], status="Failed", failure=reason)
            return {**row, "status": "Failed", "failure": reason}


def default_home() -> Path:
    home = os.environ.get("TRAINYARD_HOME")
    return Path(home).expanduser() if home else repository_root() / ".trainyard"


def new_execution_id() -> str:
    """12 lower-case letters and digits, as SageMaker's are."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))


def describe_execution(row: Row, steps: list[Row]) -> dict[str, Any]:
    """One execution with its steps, shaped like DescribePipelineExecution and ListPipelineExecutionSteps."""
    return {
        "PipelineExecutionId": row["id"],
        "PipelineName": row["pipeline"],
        "PipelineExecutionStatus": row["status"],
        "FailureReason": row["failure"],
        "CreationTime": row["started"],
        "EndTime": row["ended"],
        "PipelineParameters": row["parameters"],
        "PipelineExecutionSteps": [_describe_step(step) for step in steps],
    }


def _describe_step(step: Row) -> dict[str, Any]:
    entry = {
        "StepName": step["name"],
        "StepType": step["kind"],
        "StepStatus": step["status"],
        "StartTime": step["started"],
        "EndTime": step["ended"],
        "AttemptCount": step["attempts"],
        "Metadata": step["metadata"] or {},
    }
    if step["failure"]:
        entry["FailureReason"] = step["failure"]
    if step["cache_source"]:
        entry["CacheHitResult"] = {"SourcePipelineExecutionId": step["cache_source"]}
    if step["selected_from"]:
        entry["SelectiveExecutionResult"] = {"SourcePipelineExecutionId": step["selected_from"]}
    if step["iteration"]:
        entry["IterationContext"] = step["iteration"]
    if step["cache_note"]:
        entry["CacheNote"] = step["cache_note"]
    return entry
