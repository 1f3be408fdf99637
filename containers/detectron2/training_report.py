"""What a training job tells while it runs, and leaves behind: metrics in the log, and a JSON report."""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainyard.in_image.metrics import emit

STOPPED = 128 + signal.SIGTERM  # the exit code of a training that was stopped


def interval(entry: Mapping[str, float]) -> None:
    """One line of losses, means over the iterations since the line before, and of the pace."""
    emit(entry)


def average_precision(which: str, value: float, iteration: int) -> None:
    """``training_ap 0.123`` or ``testing_ap 0.123``: COCO's AP at IoU 0.50 to 0.95, from 0 to 1."""
    print(f"{which}_ap {value:.4f} after iteration {iteration}", flush=True)


def write(folder: Path, settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]], end: str) -> None:
    """training_report.json: what was trained with, every line of metrics, and how it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"end": end, "settings": dict(settings), "history": [_finite(entry) for entry in history]}
    (folder / "training_report.json").write_text(
        json.dumps(content, indent=1, allow_nan=False, default=str), encoding="utf-8"
    )


def fail(failure: Path, reason: str) -> None:
    """Tell why the job fails: on the log and in the failure file; the first reason of a host stays."""
    print(f"training failed: {reason}", file=sys.stderr, flush=True)
    failure.parent.mkdir(parents=True, exist_ok=True)
    try:
        with failure.open("x", encoding="utf-8") as file:
            file.write(reason[:1024])
    except FileExistsError:
        return


def _finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None for numbers that JSON does not have."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in entry.items()
    }
