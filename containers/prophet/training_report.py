"""What a training job tells: metrics in the log, training_report.json at its end, and a .jsonl of everyone."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import customers
import engine
from fitting import Outcome

from trainyard.in_image.metrics import emit, format_metric

LISTED = 1000  # failed customers that the report itself tells of


def start(total: int, processes: int) -> None:
    emit({"models:done": 0, "models:total": total}, f"{total} customers in {processes} processes")


class Tally:
    """Who got done. It keeps little of each customer: all that is known of everyone goes to a file at once."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failed: list[Outcome] = []  # the first of them
        self.errors = {name: array("d") for name in ("mae", "mape")}
        self._total = 0
        self._everyone: IO[str] | None = None

    @property
    def done(self) -> int:
        return self.counts.total()

    @contextmanager
    def to(self, folder: Path, total: int) -> Iterator[None]:
        """Write the report into ``folder``, however this ends; named by host where there are several."""
        began = time.monotonic()
        self._total = total
        host = os.environ.get("SM_CURRENT_HOST", "algo-1")
        several = len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1
        report = folder / f"training_report{f'-{host}' if several else ''}.json"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with report.with_suffix(".jsonl").open("w", encoding="utf-8") as self._everyone:
                yield
        finally:
            found = self._report(host, time.monotonic() - began)
            report.write_text(json.dumps(found, indent=1), encoding="utf-8")

    def add(self, outcomes: list[Outcome]) -> None:
        lines = []
        for outcome in outcomes:
            self.counts[outcome.status] += 1
            if outcome.status == "failed" and len(self.failed) < LISTED:
                self.failed.append(outcome)
            for name, values in self.errors.items():
                if (value := getattr(outcome, name)) is not None:
                    values.append(value)
            lines.append(_line(outcome, self.done, self._total))
        if self._everyone:
            self._everyone.writelines(json.dumps(dataclasses.asdict(one)) + "\n" for one in outcomes)
        sys.stdout.write("".join(lines))
        sys.stdout.flush()

    def _report(self, host: str, seconds: float) -> dict[str, Any]:
        """Its metrics are printed, too."""
        medians = {name: statistics.median(values) for name, values in self.errors.items() if values}
        metrics = {f"train:{name}": value for name, value in medians.items()}
        metrics |= {"train:failed": self.counts["failed"]}
        metrics |= {f"models:{status}": self.counts[status] for status in ("fitted", "reused")}
        emit(metrics, f"of {self._total} customers, in {seconds:.1f} s")
        return {
            "host": host,
            "engine": engine.identity(),
            "customers": self._total,
            "seconds": round(seconds, 3),
            "metrics": metrics,
            "failed": [dataclasses.asdict(outcome) for outcome in self.failed],
        }


def _line(outcome: Outcome, done: int, total: int) -> str:
    """Of one customer, named as its file is, so that no id can break the log."""
    metrics: dict[str, float | None] = {"models:done": done, "models:total": total}
    name = customers.file_stem(outcome.customer)
    if outcome.status == "failed":
        name += f" failed: {' '.join(outcome.reason.split())}"
    elif outcome.status == "reused":
        name += " reused"
    else:
        metrics |= {f"model:{key}": getattr(outcome, key) for key in ("mae", "mape", "seconds")}
    known = [format_metric(key, value) for key, value in metrics.items() if value is not None]
    return f"{' '.join(known)} {name}\n"


def fail(failure: Path, reason: str) -> None:
    """Tell why the job fails: on the log and in the failure file, which the training toolkit then leaves."""
    print(f"training failed: {reason}", file=sys.stderr, flush=True)
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason[:1024], encoding="utf-8")
