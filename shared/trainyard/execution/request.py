"""What to run, fully resolved: values that can be printed, compared in tests and handed to any launcher."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from trainyard.execution.targets import Target

REGION = "us-east-1"
ARN = f"arn:aws:sagemaker:{REGION}:000000000000"
"""Beginning of every local ARN; region and account are those of the dummy credentials."""

DEFAULT_GRACE_SECONDS = 120.0
"""How long a job may take to end after SIGTERM before it gets SIGKILL (AWS: "Stop a training job")."""


def client_environment(endpoint_url: str) -> dict[str, str]:
    """The variables with which boto3, the aws CLI and the SageMaker SDK talk to a local endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "trainyard",
        "AWS_SECRET_ACCESS_KEY": "trainyard",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Objects that a job finds below ``container_path`` when it starts; the job cannot change the originals.

    In the mode Pipe it reads them from the named pipes ``<container_path>_0``, ``_1``, ..., one per epoch.
    """

    name: str
    container_path: str
    uri: str
    data_type: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"
    distribution: Literal["FullyReplicated", "ShardedByS3Key"] = "FullyReplicated"
    mode: Literal["File", "Pipe"] = "File"
    # of pipes only: what is taken off the objects, and what is put around each
    compression: Literal["None", "Gzip"] = "None"
    record_wrapper: Literal["None", "RecordIO"] = "None"


@dataclass(frozen=True, kw_only=True)
class Output:
    """A container folder whose files are stored below ``uri`` when the job has succeeded.

    ``archive`` says whether they are stored as they are or as one gzipped tar file; ``continuous`` ones are
    stored while the job runs, too.
    """

    name: str
    container_path: str
    uri: str
    archive: bool = False
    continuous: bool = False


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A container folder that is one with an S3 prefix for as long as the job runs, and after it."""

    container_path: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    name: str
    regex: str


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """One Processing or Training job.

    ``config`` maps paths below ``/opt/ml`` to JSON content; ``resourceconfig`` is the path (below
    ``/opt/ml``) of the file that tells every host who it is. ``command`` is empty where the image's
    own command runs; with ``arguments_only`` it holds arguments of the image's own entry point. Times are
    in seconds. A ``spot`` job may be interrupted, and starts again.
    ``endpoint_url`` is of the local AWS endpoint, for scripts that use boto3.
    """

    name: str
    kind: Literal["Processing", "Training"]
    image: str
    target: Target
    command: tuple[str, ...] = ()
    arguments_only: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    resource_config: str = "input/config/resourceconfig.json"
    host_count: int = 1
    instance_type: str = "local"
    channels: tuple[Channel, ...] = ()
    outputs: tuple[Output, ...] = ()
    checkpoint: Checkpoint | None = None
    max_runtime: float = 86_400.0
    grace: float = DEFAULT_GRACE_SECONDS
    metrics: tuple[Metric, ...] = ()
    spot: bool = False
    endpoint_url: str = ""

    @property
    def platform_environment(self) -> dict[str, str]:
        """What SageMaker itself sets, beside the request's own ``environment``."""
        prefix = self.kind.upper()
        names = {f"{prefix}_JOB_ARN": f"{ARN}:{self.kind.lower()}-job/{self.name}", "AWS_REGION": REGION}
        if self.kind == "Training":
            names["TRAINING_JOB_NAME"] = self.name
        return {**names, **(client_environment(self.endpoint_url) if self.endpoint_url else {})}

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(f"algo-{number}" for number in range(1, self.host_count + 1))


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of this machine that the job sees at a path below its ``/opt/ml``."""

    source: Path
    container_path: str
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class StagedHost:
    """One host of a job, laid out on disk: ``ml`` stands for its ``/opt/ml``."""

    name: str
    folder: Path
    ml: Path
    mounts: tuple[Mount, ...]

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.name}.log"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a job's hosts ended: one exit code each (128 + signal for a killed one).

    ``first`` is the index of the host that failed first, for which the others were stopped.
    """

    exit_codes: tuple[int, ...]
    stopped: Literal["", "Stopped", "MaxRuntimeExceeded"] = ""
    first: int = 0

    @property
    def exit_code(self) -> int:
        return next((code for code in self.exit_codes[self.first :] if code), 0)


class StopSignal:
    """Tells running jobs to stop; a second request, to skip the rest of their grace. A ``parent``'s count as well."""

    def __init__(self, parent: StopSignal | None = None) -> None:
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._interruption = threading.Event()
        self._parent = parent

    def interrupt(self) -> None:
        """Take a spot job's instance away: it is stopped, and started again."""
        self._interruption.set()

    def take_interruption(self) -> bool:
        """Whether there was one since it was last asked."""
        was = self._interruption.is_set()
        self._interruption.clear()
        return was

    def request(self) -> None:
        """The first call stops, a second one hurries."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    @property
    def requested(self) -> bool:
        return self._stop.is_set() or (self._parent is not None and self._parent.requested)

    @property
    def hurried(self) -> bool:
        return self._hurry.is_set() or (self._parent is not None and self._parent.hurried)


class Launcher(Protocol):
    """Runs the hosts of a staged job to their end; the only thing in this room with effects outside the store.

    ``tick`` is called several times a second while they run.
    """

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended: ...
