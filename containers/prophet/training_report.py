"""What a training job tells while it runs, and leaves behind: metrics in the log, training_report.json."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
from collections import Counter
from pathlib import Path

import customers
import engine
from fitting import Outcome

from trainyard.in_image.metrics import emit


def start(reused: int, total: int, processes: int) -> None:
    note = f"{reused} models reused from checkpoints, {total - reused} to fit in {processes} processes"
    emit({"models:done": reused, "models:total": total}, note)


def progress(outcome: Outcome, done: int, total: int) -> None:
    """One line per customer, named as its file is, so that no id can break the log."""
    metrics = {"models:done": float(done), "models:total": float(total)}
    name = customers.file_stem(outcome.customer)
    if outcome.status == "failed":
        emit(metrics, f"{name} failed: {' '.join(outcome.reason.split())}")
        return
    metrics |= _known(
        {"model:mae": outcome.mae, "model:mape": outcome.mape, "model:seconds": outcome.seconds}
    )
    emit(metrics, name)


def write(folder: Path, outcomes: list[Outcome], total: int, seconds: float) -> None:
    """Print the job's own metrics and write the report; named by host where there are several."""
    status = Counter(outcome.status for outcome in outcomes)
    metrics = _known(
        {
            "train:mae": _median([outcome.mae for outcome in outcomes]),
            "train:mape": _median([outcome.mape for outcome in outcomes]),
            "train:failed": status["failed"],
            "models:fitted": status["fitted"],
            "models:reused": status["reused"],
        }
    )
    emit(metrics, f"of {total} customers, in {seconds:.1f} s")
    host = os.environ.get("SM_CURRENT_HOST", "algo-1")
    report = {
        "host": host,
        "engine": engine.identity(),
        "customers": total,
        "seconds": round(seconds, 3),
        "metrics": metrics,
        "failed": [dataclasses.asdict(outcome) for outcome in outcomes if outcome.status == "failed"],
        "models": [dataclasses.asdict(outcome) for outcome in outcomes if outcome.status != "failed"],
    }
    several = len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1
    folder.mkdir(parents=True, exist_ok=True)
    name = f"training_report-{host}.json" if several else "training_report.json"
    (folder / name).write_text(json.dumps(report, indent=1), encoding="utf-8")


def fail(failure: Path, reason: str) -> None:
    """Tell why the job fails: on the log and in the failure file, which the training toolkit then leaves."""
    print(f"training failed: {reason}", file=sys.stderr, flush=True)
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason[:1024], encoding="utf-8")


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
