"""The logs in the store as CloudWatch's groups and streams."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainyard.execution.logs import times_of
from trainyard.execution.request import REGION
from trainyard.execution.store import Store

JOB_GROUPS = {
    "/aws/sagemaker/TrainingJobs": "training-job",
    "/aws/sagemaker/ProcessingJobs": "processing-job",
    "/aws/sagemaker/TransformJobs": "transform-job",
}
ENDPOINTS = "/aws/sagemaker/Endpoints/"
FUNCTIONS = "/aws/lambda/"
_FOLDERS = {ENDPOINTS: "hosts", FUNCTIONS: "functions"}
"""Below the store's home; a folder in them for each endpoint or function, with the logs anywhere in it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line; ``begin`` and ``end`` are bytes into its log, ``time`` is in milliseconds since 1970."""

    begin: int
    end: int
    time: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One log file; ``created`` is in milliseconds since 1970."""

    name: str
    file: Path
    created: int

    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def last(self) -> int:
        return int(self.file.stat().st_mtime * 1000) if self.file.exists() else self.created

    def lines(self, begin: int = 0, end: int | None = None) -> list[Line]:
        """The whole lines between two places in the log; an empty line is none (AWS takes no empty messages)."""
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(begin)
            content = file.read() if end is None else file.read(max(0, end - begin))
        ends, times = times_of(self.file)
        found, place, last = [], begin, self.last()
        for part in content.splitlines(keepends=True):
            if not part.endswith((b"\n", b"\r")) and end is None:
                break  # its rest is still to come
            place += len(part)
            index = bisect_left(ends, place)
            text = part.decode(errors="replace").rstrip("\r\n")
            if text:
                time = times[index] if index < len(times) else last
                found.append(Line(begin=place - len(part), end=place, time=time, text=text))
        return found


class Streams:
    """Groups and streams of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @staticmethod
    def is_ours(group: str) -> bool:
        return group in JOB_GROUPS or group.startswith((ENDPOINTS, FUNCTIONS))

    @staticmethod
    def arn(group: str) -> str:
        return f"arn:aws:logs:{REGION}:{'0' * 12}:log-group:{group}"

    def groups(self) -> list[tuple[str, int]]:
        """The groups that have streams, with the time of the first one in milliseconds since 1970."""
        found = {}
        for group, kind in JOB_GROUPS.items():
            documents = self._store.resources.all(kind)
            if documents:
                found[group] = int(documents[0]["CreationTime"] * 1000)
        for prefix, place in _FOLDERS.items():
            for folder in self._folders(place):
                found[f"{prefix}{folder.name}"] = int(folder.stat().st_ctime * 1000)
        return sorted(found.items())

    def of(self, group: str, prefix: str = "") -> Iterator[Stream]:
        """The streams of a group whose names begin so."""
        if group in JOB_GROUPS:
            yield from self._of_jobs(JOB_GROUPS[group], prefix)
            return
        kind = next(known for known in _FOLDERS if group.startswith(known))
        name = group.removeprefix(kind)
        if not re.fullmatch(r"[\w.-]+", name) or set(name) == {"."}:
            return
        base = self._store.home / _FOLDERS[kind] / name
        for file in sorted(base.rglob("*.log")):
            stream = file.relative_to(base).with_suffix("").as_posix()
            if stream.startswith(prefix):
                yield Stream(name=stream, file=file, created=int(file.stat().st_ctime * 1000))

    def _of_jobs(self, kind: str, prefix: str) -> Iterator[Stream]:
        member = "".join(part.capitalize() for part in kind.split("-")) + "Name"
        wanted, slash, _ = prefix.partition("/")
        resources = self._store.resources
        for document in filter(None, [resources.find(kind, wanted)]) if slash else resources.all(kind):
            job, created = document[member], int(document["CreationTime"] * 1000)
            if not slash and not job.startswith(prefix):
                continue
            for file in self._store.logs(job):
                name = f"{job}/{file.stem}-{created // 1000}"
                if name.startswith(prefix):
                    yield Stream(name=name, file=file, created=created)

    def _folders(self, name: str) -> list[Path]:
        base = self._store.home / name
        return [folder for folder in base.iterdir() if folder.is_dir()] if base.is_dir() else []
