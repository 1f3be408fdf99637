"""What a model's scores and classes are worth on rows whose class is known: numbers and curves.

Two decisions are judged: a row is flagged where its score reaches the model's threshold (binary: risky or not),
and it has the likeliest class, which may be "unknown" (multiclass).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

UNKNOWN = "unknown"
BINS = 10
POINTS = 200  # of a curve that is stored or drawn
_SAMPLES, _SHARE, _ENOUGH = 5, 0.8, 200  # AWS: "Model quality metrics", on standard deviation


@dataclass(frozen=True)
class Answers:
    """One model's answers to test rows: ``score`` (probability of risky), ``predicted`` (number of a class;
    ``len(classes)`` is unknown), ``actual``; ``risky`` is that class's number."""

    name: str
    classes: tuple[str, ...]
    risky: int
    threshold: float
    score: Array
    predicted: Array
    actual: Array

    @property
    def positive(self) -> Array:
        return self.actual == self.risky

    @property
    def flagged(self) -> Array:
        return self.score >= self.threshold


@dataclass(frozen=True)
class Curve:
    """Points from the highest threshold down; ``hits`` and ``flagged`` count rows at or above ``threshold``."""

    threshold: Array
    hits: Array
    flagged: Array
    positives: int
    rows: int

    @property
    def recall(self) -> Array:
        return self.hits / max(self.positives, 1)

    @property
    def precision(self) -> Array:
        return self.hits / self.flagged

    @property
    def false_positive_rate(self) -> Array:
        return (self.flagged - self.hits) / max(self.rows - self.positives, 1)

    def thinned(self) -> Curve:
        """At most ``POINTS`` points, first and last among them."""
        if len(self.threshold) <= POINTS:
            return self
        kept = np.unique(np.linspace(0, len(self.threshold) - 1, POINTS).round().astype(int))
        return Curve(self.threshold[kept], self.hits[kept], self.flagged[kept], self.positives, self.rows)


def curve(positive: Array, score: Array) -> Curve:
    """One point for each different score: rows of equal score can only be flagged together."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.empty(0, int)
    hits = np.cumsum(positive[order])[ends]
    return Curve(ranked[ends], hits.astype(float), ends + 1.0, int(positive.sum()), len(positive))


def average_precision(points: Curve) -> float:
    """The area under the precision-recall curve as a sum of steps."""
    return float(np.sum(np.diff(points.recall, prepend=0.0) * points.precision))


def area_under_roc(points: Curve) -> float:
    """NaN where there is only one class."""
    if not 0 < points.positives < points.rows:
        return float("nan")
    x, y = (np.append(0.0, axis) for axis in (points.false_positive_rate, points.recall))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def binary(answers: Answers) -> dict[str, float]:
    """SageMaker Model Monitor's binary metrics by their names; the constant classifier flags every row.

    Source: SageMaker Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring".
    """
    positive, flagged = answers.positive, answers.flagged
    hits, missed = float((positive & flagged).sum()), float((positive & ~flagged).sum())
    false, spared = float((~positive & flagged).sum()), float((~positive & ~flagged).sum())
    points = curve(positive, answers.score)
    share = _ratio(hits + missed, len(positive))
    values = {
        "recall": _ratio(hits, hits + missed),
        "precision": _ratio(hits, hits + false),
        "accuracy": _ratio(hits + spared, len(positive)),
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": share,
        "accuracy_best_constant_classifier": share,
        "true_positive_rate": _ratio(hits, hits + missed),
        "true_negative_rate": _ratio(spared, spared + false),
        "false_positive_rate": _ratio(false, spared + false),
        "false_negative_rate": _ratio(missed, hits + missed),
        "auc": area_under_roc(points),
        "au_prc": average_precision(points),
    }
    for name, weight in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        values[name] = f_score(values["precision"], values["recall"], weight)
        values[f"{name}_best_constant_classifier"] = f_score(share, 1.0, weight)
    return values


def multiclass(answers: Answers) -> dict[str, float]:
    """SageMaker Model Monitor's multiclass metrics by their names; the constant classifier answers with the most
    frequent class. "unknown" is always a wrong answer."""
    matrix = confusion(answers)
    best = np.zeros_like(matrix)
    most = int(matrix.sum(axis=1).argmax())
    best[:, most] = matrix.sum(axis=1)
    return _weighted(matrix, "") | _weighted(best, "_best_constant_classifier")


def _weighted(matrix: Array, suffix: str) -> dict[str, float]:
    actual, answered, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diagonal(matrix)
    weight = actual / max(actual.sum(), 1)
    recall = right / np.maximum(actual, 1)
    precision = right / np.maximum(answered, 1)
    values = {
        "accuracy": float(right.sum() / max(actual.sum(), 1)),
        "weighted_recall": float(recall @ weight),
        "weighted_precision": float(precision @ weight),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        each = [f_score(one, other, beta) for one, other in zip(precision, recall, strict=True)]
        values[f"weighted_{name}"] = float(np.array(each) @ weight)
    return {f"{name}{suffix}": value for name, value in values.items()}


def custom(answers: Answers) -> dict[str, float]:
    """What a reviewer of a rare class asks for beyond that."""
    positive, score = answers.positive, answers.score.astype(float)
    points = curve(positive, answers.score)
    cheap = points.false_positive_rate <= 0.01
    bins = calibration(positive, score)
    error = sum(each["rows"] * abs(each["score"] - each["share"]) for each in bins) / max(len(score), 1)
    return {
        "average_precision": average_precision(points),
        "recall_at_1_percent_false": float(points.recall[cheap].max(initial=0.0)),
        "unknown_share": float((answers.predicted == len(answers.classes)).mean()),
        "flagged_share": float(answers.flagged.mean()),
        "recall_by_class": _ratio(
            float((positive & (answers.predicted == answers.risky)).sum()), positive.sum()
        ),
        "calibration_error": float(error),
        "brier": float(np.mean((score - positive) ** 2)),
        "threshold": float(answers.threshold),
        "rows": float(len(score)),
        "risky_rows": float(positive.sum()),
    }


def calibration(positive: Array, score: Array) -> list[dict[str, float]]:
    """Of rows by score, in tenths: their number, their mean score, and the share that is risky."""
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    rows = np.bincount(place, minlength=BINS)
    total, risky = (
        np.bincount(place, weights, BINS) for weights in (score.astype(float), positive.astype(float))
    )
    return [
        {
            "rows": int(rows[index]),
            "score": float(total[index] / rows[index]),
            "share": float(risky[index] / rows[index]),
        }
        for index in np.flatnonzero(rows).tolist()
    ]


def confusion(answers: Answers) -> Array:
    """Rows by actual class, columns by answer, unknown last in both (nobody is actually unknown)."""
    size = len(answers.classes) + 1
    return np.bincount(answers.actual.astype(int) * size + answers.predicted, minlength=size * size).reshape(
        size, size
    )


def deviations(answers: Answers, measure: Callable[[Answers], dict[str, float]]) -> dict[str, float]:
    """Standard deviations as Model Monitor has them: of five random samples of 80 %; NaN below 200 rows."""
    count = len(answers.actual)
    if count < _ENOUGH:
        return dict.fromkeys(measure(answers), float("nan"))
    generator = np.random.default_rng(0)
    samples = [
        measure(take(answers, generator.choice(count, int(_SHARE * count), replace=False)))
        for _ in range(_SAMPLES)
    ]
    return {name: float(np.std([sample[name] for sample in samples])) for name in samples[0]}


def take(answers: Answers, rows: Array) -> Answers:
    parts = (answers.score[rows], answers.predicted[rows], answers.actual[rows])
    return Answers(answers.name, answers.classes, answers.risky, answers.threshold, *parts)


def mean_of(name: str, models: Sequence[Answers], probabilities: Array) -> Answers:
    """The answers of all models together: mean scores against the mean of the thresholds, likeliest class by mean
    ``probabilities`` [rows, classes and unknown]."""
    first = models[0]
    score = np.mean([each.score for each in models], axis=0, dtype=np.float64)
    threshold = float(np.mean([each.threshold for each in models]))
    predicted = probabilities.argmax(axis=1).astype(np.int32)
    return Answers(name, first.classes, first.risky, threshold, score, predicted, first.actual)


def f_score(precision: float, recall: float, beta: float) -> float:
    below = beta**2 * precision + recall
    return float((1 + beta**2) * precision * recall / below) if below > 0 else 0.0


def _ratio(part: float, whole: float) -> float:
    """0 where there is nothing to divide by: nothing flagged has no precision."""
    return float(part / whole) if whole else 0.0
