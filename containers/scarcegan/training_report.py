"""What a training job tells while it runs, and leaves behind: metrics in the log, two JSON reports."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradient_health
from checkpoints import Progress
from gradient_health import Finding
from model_files import Model

from trainyard.in_image.metrics import emit


def interval(model: str, entry: Mapping[str, Any]) -> None:
    """One line per model and interval: losses and accuracy are means over the interval's steps."""
    emit({name: value for name, value in entry.items() if isinstance(value, (int, float))}, model)


def finished(models: list[Model], progress: Mapping[str, Progress], seconds: float) -> dict[str, float]:
    """Print the job's own metrics: means over its models, each on its own held-out rows."""
    measured: dict[str, list[float]] = {
        "validation:average_precision": [
            m.details["metrics"]["Validation_Average_Precision"] for m in models
        ],
        "validation:recall": [m.details["threshold"]["recall"] for m in models],
        "validation:precision": [m.details["threshold"]["precision"] for m in models],
    }
    metrics = {name: sum(values) / len(values) for name, values in measured.items()}
    steps = sum(one.step - one.resumed_at for one in progress.values())
    if steps:
        metrics["train:steps_per_second"] = steps / max(seconds, 1e-9)
    emit(metrics, f"{len(models)} models, {steps} steps in {seconds:.1f} s")
    return metrics


def write(
    folder: Path, progress: Mapping[str, Progress], models: list[Model], metrics: Mapping[str, float]
) -> None:
    """training_report.json, and gradient_health.json in the words of Debugger."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "metrics": dict(metrics),
        "models": [{k: v for k, v in model.details.items() if k != "scaler"} for model in models],
        "history": {name: one.history for name, one in progress.items()},
    }
    found = [Finding(**finding) for one in progress.values() for finding in one.findings]
    for name, content in (("training_report", report), ("gradient_health", gradient_health.report(found))):
        text = json.dumps(_finite(content), indent=1, allow_nan=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def fail(failure: Path, reason: str) -> None:
    """Tell why the job fails: on the log and in the failure file, which the training toolkit then leaves."""
    print(f"training failed: {reason}", file=sys.stderr, flush=True)
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(reason[:1024], encoding="utf-8")


def _finite(content: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
