"""The custom metrics as CSV, and from it the JSON that SageMaker's Model Quality reports and its registry have.

``metrics.csv`` has a line per model, group and metric; ``curves.csv`` a line per model, curve and point.
Source of the JSON: SageMaker Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring".
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import judging
from judging import UNKNOWN, Answers

METRICS = ("model", "group", "metric", "value", "standard_deviation")
CURVES = ("model", "curve", "x", "y")
BINARY, MULTICLASS, CUSTOM = "binary_classification", "multiclass_classification", "scarce_class"
_MEASURES = {BINARY: judging.binary, MULTICLASS: judging.multiclass, CUSTOM: judging.custom}
_CONFUSION = "confusion_matrix."
_SHAPES = {
    "receiver_operating_characteristic_curve": ("false_positive_rates", "true_positive_rates"),
    "precision_recall_curve": ("recalls", "precisions"),
}
_FIXED = ("threshold", "rows", "risky_rows")  # which have no deviation


class BadMetrics(Exception):
    """A metrics file that is no such file; the message says where."""


def measured(answers: Answers, more: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """The lines of metrics.csv of one model; of ``more`` those that no group states are custom metrics."""
    stated: set[str] = set()
    for group, measure in _MEASURES.items():
        values, deviations = measure(answers), judging.deviations(answers, measure)
        for metric, value in values.items():
            deviation = float("nan") if metric in _FIXED else deviations[metric]
            yield _line(answers.name, group, metric, value, deviation)
        stated |= values.keys()
    for metric in [metric for metric in more if metric not in stated]:
        yield _line(answers.name, CUSTOM, metric, more[metric], float("nan"))
    names = (*answers.classes, UNKNOWN)
    matrix = judging.confusion(answers).tolist()
    for name, row in zip(names, matrix, strict=True):
        for other, count in zip(names, row, strict=True):
            yield _line(answers.name, MULTICLASS, f"{_CONFUSION}{name}.{other}", count, None)
    for actual in (False, True):
        for flagged in (False, True):
            count = int(((answers.positive == actual) & (answers.flagged == flagged)).sum())
            yield _line(answers.name, BINARY, f"{_CONFUSION}{int(actual)}.{int(flagged)}", count, None)


def curve_points(answers: Answers) -> Iterator[dict[str, Any]]:
    """The lines of curves.csv of one model."""
    points = judging.curve(answers.positive, answers.score).thinned()
    lines = {
        "receiver_operating_characteristic_curve": (points.false_positive_rate, points.recall),
        "precision_recall_curve": (points.recall, points.precision),
    }
    for name, (x, y) in lines.items():
        for each in zip(x.tolist(), y.tolist(), strict=True):
            yield dict(zip(CURVES, (answers.name, name, *each), strict=True))


def write_csv(path: Path, columns: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Raises BadMetrics."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != tuple(columns):
                raise BadMetrics(f"{path}: columns are {reader.fieldnames}, needs {', '.join(columns)}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadMetrics(f"{path} cannot be read: {error}") from error


def convert(
    metrics: Sequence[Mapping[str, str]], curves: Sequence[Mapping[str, str]], model: str
) -> dict[str, Any]:
    """Lines of metrics.csv and curves.csv -> the Model Quality JSON of one model. Raises BadMetrics."""
    groups: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(metrics, 2):
        if line["model"] != model:
            continue
        group = groups.setdefault(f"{line['group']}_metrics", {})
        try:
            value = float(line["value"])
            deviation = _number(float(line["standard_deviation"] or "nan"))
        except ValueError as error:
            raise BadMetrics(f"metrics.csv line {number}: {error}") from error
        if line["metric"].startswith(_CONFUSION):
            actual, _, answer = line["metric"].removeprefix(_CONFUSION).partition(".")
            group.setdefault("confusion_matrix", {}).setdefault(actual, {})[answer] = int(value)
        else:
            group[line["metric"]] = {"value": _number(value), "standard_deviation": deviation}
    if not groups:
        there = ", ".join(dict.fromkeys(line["model"] for line in metrics))
        raise BadMetrics(f"metrics.csv has no model {model!r}; there are: {there}")
    for name, (x, y) in _SHAPES.items():
        points = [line for line in curves if (line["model"], line["curve"]) == (model, name)]
        axes = {x: [float(line["x"]) for line in points], y: [float(line["y"]) for line in points]}
        groups.setdefault(f"{BINARY}_metrics", {})[name] = axes
    return groups


def write_json(folder: Path, quality: Mapping[str, Any]) -> None:
    """``model_quality.json`` with the binary and the custom metrics, for the registry, which flattens all
    groups of a file into one list; ``model_quality_multiclass.json`` with the multiclass ones."""
    folder.mkdir(parents=True, exist_ok=True)
    apart = f"{MULTICLASS}_metrics"
    for name, content in (
        ("model_quality.json", {group: values for group, values in quality.items() if group != apart}),
        ("model_quality_multiclass.json", {apart: quality[apart]}),
    ):
        (folder / name).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def _line(model: str, group: str, metric: str, value: float, deviation: float | None) -> dict[str, Any]:
    shown = "" if deviation is None else "NaN" if math.isnan(deviation) else repr(deviation)
    return dict(zip(METRICS, (model, group, metric, repr(value), shown), strict=True))


def _number(value: float) -> float | str:
    """JSON has no NaN; Model Monitor writes it as text."""
    return value if math.isfinite(value) else "NaN"
