"""What reviewers judge a detection model by, in the form of SageMaker's Model Quality reports.

Model Monitor has no metrics of detection, so they are a group of their own beside its schema: a value and a standard
deviation each. Source: SageMaker Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from judging import Split

GROUP = "object_detection_metrics"


def report(splits: Sequence[Split]) -> dict[str, Any]:
    """Of the first split under plain names, then AP of each under its own name.

    Standard deviations of precision, recall and F1 are over draws of images; AP's are "NaN": not estimated. What
    is undefined for these images is left out, as Model Monitor does.
    """
    first = splits[0]
    deviations = first.deviations()
    values = first.scores.overall.as_json() | {
        name: first.overall()[name] for name in ("precision", "recall", "f1")
    }
    values |= {f"{split.name}_AP": split.scores.overall.ap for split in splits}
    values |= {"images": float(len(first.dataset.images)), "score_threshold": first.threshold}
    return {
        GROUP: {
            name: {"value": value, "standard_deviation": _text(deviations.get(name))}
            for name, value in values.items()
            if value is not None
        }
    }


def _text(deviation: float | None) -> float | str:
    """JSON has no NaN; Model Monitor writes it as text."""
    return "NaN" if deviation is None else deviation
