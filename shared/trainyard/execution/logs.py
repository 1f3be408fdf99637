"""Follow the logs of a running job: lines for people, metrics for SageMaker's FinalMetricDataList."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from trainyard.execution.request import Metric

_LONGEST_LINE = 64_000


class LogFollower:
    """Reads what is new in a job's logs each time it is asked.

    ``on_line(host, line)`` gets every line, ``on_metric(host, name, value)`` every value that the first
    group of a metric's regular expression finds in one (AWS: "Define training metrics").
    """

    def __init__(
        self,
        logs: Sequence[Path],
        metrics: Sequence[Metric],
        on_line: Callable[[str, str], None] = lambda host, line: None,
        on_metric: Callable[[str, str, float], None] = lambda host, name, value: None,
    ) -> None:
        self._logs = tuple(logs)
        self._files: dict[Path, BinaryIO] = {}
        self._rest = dict.fromkeys(logs, b"")
        self._metrics = [(metric.name, re.compile(metric.regex)) for metric in metrics]
        self._on_line, self._on_metric = on_line, on_metric
        self._final: dict[str, dict[str, Any]] = {}

    def read(self, *, final: bool = False) -> None:
        """Take in what has been written since the last call; ``final`` also takes an unfinished last line."""
        for path in self._logs:
            text = self._rest[path] + self._new(path)
            *lines, rest = text.split(b"\n")
            if rest and (final or len(rest) > _LONGEST_LINE):
                lines, rest = [*lines, rest], b""
            self._rest[path] = rest
            for line in lines:
                self._take(path.stem, line.decode(errors="replace").rstrip("\r"))

    @property
    def final_metrics(self) -> list[dict[str, Any]]:
        """``FinalMetricDataList``: the last value of each metric, with its time in seconds since 1970."""
        return list(self._final.values())

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _new(self, path: Path) -> bytes:
        if path not in self._files:
            if not path.exists():
                return b""
            self._files[path] = path.open("rb")
        new = self._files[path].read()
        if new:
            with _times_file(path).open("a") as times:
                times.write(f"{self._files[path].tell()} {int(time.time() * 1000)}\n")
        return new

    def _take(self, host: str, line: str) -> None:
        for name, pattern in self._metrics:
            for match in pattern.finditer(line):
                try:
                    value = float(match.group(1))
                except (ValueError, IndexError, TypeError):
                    continue
                if not math.isfinite(value):  # no JSON number
                    continue
                self._final[name] = {"MetricName": name, "Value": value, "Timestamp": time.time()}
                self._on_metric(host, name, value)
        self._on_line(host, line)


def times_of(log: Path) -> tuple[list[int], list[int]]:
    """When a followed log had grown to how many bytes: the sizes, and the times in milliseconds since 1970."""
    file = _times_file(log)
    pairs = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    whole = [(int(pair[0]), int(pair[1])) for pair in pairs if len(pair) == 2]
    return [size for size, _ in whole], [seen for _, seen in whole]


def _times_file(log: Path) -> Path:
    return log.with_suffix(".times")
