"""This run beside the last registered version of each model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METRICS = ("recall", "precision", "f1", "average_precision", "auc", "unknown_share", "calibration_error")
LOWER_IS_BETTER = frozenset({"unknown_share", "calibration_error"})


class BadRegistered(Exception):
    """A list of registered versions that is none; the message says where and what it must hold."""


@dataclass(frozen=True)
class Registered:
    """A version of one model in the registry, with the metrics that it was registered with."""

    model: str
    version: str
    status: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Pair:
    """One metric of one model: before (None: it has no version that states it) and now."""

    model: str
    version: str
    status: str
    metric: str
    before: float | None
    now: float

    @property
    def change(self) -> float | None:
        return None if self.before is None else self.now - self.before

    @property
    def is_better(self) -> bool | None:
        """None where nothing changed or nothing was there before."""
        if not self.change:
            return None
        return (self.change < 0) == (self.metric in LOWER_IS_BETTER)


def read(folder: Path) -> list[Registered]:
    """``registered.json`` in ``folder``: a list of {model, version, status, metrics}; none if it is not there.

    Raises BadRegistered.
    """
    file = folder / "registered.json"
    if not file.exists():
        return []
    try:
        return [
            Registered(
                str(each["model"]),
                str(each["version"]),
                str(each.get("status", "")),
                {name: float(value) for name, value in each["metrics"].items() if _is_number(value)},
            )
            for each in json.loads(file.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRegistered(
            f"{file} is no list of registered versions: {type(error).__name__}: {error}. It must be a list of "
            '{"model": NAME, "version": NUMBER, "status": STATUS, "metrics": {NAME: NUMBER}}'
        ) from error


def side_by_side(now: Mapping[str, Mapping[str, Any]], registered: Sequence[Registered]) -> list[Pair]:
    """For each model of this run, in order, each metric beside that of its last version in the list."""
    last = {each.model: each for each in registered}
    pairs = []
    for model, metrics in now.items():
        before = last.get(model)
        for metric in METRICS:
            old = before.metrics.get(metric) if before else None
            version, status = (before.version, before.status) if before else ("", "")
            pairs.append(Pair(model, version, status, metric, old, float(metrics[metric])))
    return pairs


def as_json(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    return [
        {"model": each.model, "version": each.version, "status": each.status, "metric": each.metric}
        | {"before": each.before, "now": each.now, "change": each.change, "better": each.is_better}
        for each in pairs
    ]


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
