"""How well scores and decisions find the risky rows, and the threshold that a business rule asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class BadRule(ValueError):
    """A threshold rule that cannot be read; the message says which there are."""


@dataclass(frozen=True)
class Rule:
    """``recall_at_precision``: the highest recall whose precision is at least ``first``.

    ``cost``: the least sum of ``first`` per missed and ``second`` per falsely accused row.
    """

    kind: str
    first: float
    second: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """From ``recall_at_precision:0.5`` or ``cost:10:1``. Raises BadRule."""
        kind, *numbers = text.split(":")
        try:
            rule = cls(kind, *(float(number) for number in numbers))
        except (TypeError, ValueError):
            rule = cls("", 0.0)
        if rule.kind == "recall_at_precision" and len(numbers) == 1 and 0.0 < rule.first <= 1.0:
            return rule
        if rule.kind == "cost" and len(numbers) == 2 and rule.first > 0.0 and rule.second > 0.0:
            return rule
        raise BadRule(
            f"{text!r} is no rule for a threshold; there are recall_at_precision:P with P above 0 and up to 1, "
            f"and cost:MISSED:FALSE with two costs above 0"
        )


@dataclass(frozen=True)
class Threshold:
    """Rows whose score is at least ``value`` are flagged; ``met``: the rule's floor could be kept."""

    value: float
    recall: float
    precision: float
    met: bool


def average_precision(positive: np.ndarray, scores: np.ndarray) -> float:
    """The area under the precision-recall curve as a sum of steps; rows of equal score count as one step."""
    hits, flagged, _ = _curve(positive, scores)
    recall = hits / positive.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * hits / flagged))


def recall_and_precision(positive: np.ndarray, flagged: np.ndarray) -> tuple[float, float]:
    """Precision is 0 where nothing is flagged."""
    hits = float((positive & flagged).sum())
    return hits / max(float(positive.sum()), 1.0), hits / max(float(flagged.sum()), 1.0)


def choose(rule: Rule, positive: np.ndarray, scores: np.ndarray, prevalence: float = 0.0) -> Threshold:
    """The threshold that a rule asks for on these rows; between two scores, and the higher where several do.

    ``prevalence``: the share of risky rows where the model will be used, if it is not theirs (0: it is).
    Negative rows then count for more or less than one. Where no threshold keeps the floor, it is the one of
    highest precision.
    """
    hits, flagged, steps = _curve(positive, scores)
    risky, others = float(positive.sum()), float((~positive).sum())
    weight = 1.0 if not prevalence else risky / others * (1.0 - prevalence) / prevalence
    false = (flagged - hits) * weight
    recall, precision = hits / risky, hits / np.maximum(hits + false, 1e-12)
    met = True
    if rule.kind == "cost":
        best = int(np.argmin((risky - hits) * rule.first + false * rule.second))
    else:
        kept = precision >= rule.first
        met = bool(kept.any())
        best = int(np.argmax(np.where(kept, recall, -1.0) if met else precision))
    below = steps[best + 1] if best + 1 < len(steps) else 0.0
    value = (float(steps[best]) + float(below)) / 2.0
    return Threshold(value, float(recall[best]), float(precision[best]), met)


def _curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits and flagged rows at each distinct score, from the highest down, and those scores."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.diff(ordered, append=-np.inf))
    hits = np.cumsum(positive[order])[ends].astype(float)
    return hits, ends + 1.0, ordered[ends]
