"""The same charts as PNG files, for places that show no HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import judging
import numpy as np
from judging import UNKNOWN, Answers

ACCENT, SOFT, WARN = "#1d5fd1", "0.65", "#b4540a"


def write(folder: Path, models: Sequence[Answers]) -> None:
    """Curves and calibration of all models, the last one (their mean) strongest; its scores and confusion."""
    import matplotlib

    matplotlib.use("Agg")  # no display in a container
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Any, Sequence[Answers]], None]] = {
        "precision_recall": _precision_recall,
        "roc": _roc,
        "calibration": _calibration,
        "scores": _scores,
        "confusion": _confusion,
    }
    for name, draw in drawings.items():
        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        draw(figure.subplots(), models)
        figure.savefig(folder / f"{name}.png", dpi=120)


def _precision_recall(axes: Any, models: Sequence[Answers]) -> None:
    for answers in models:
        points, numbers = judging.curve(answers.positive, answers.score), judging.binary(answers)
        label = f"{_plain(answers.name)}, AP {numbers['au_prc']:.3f}"
        axes.plot(points.recall, points.precision, label=label, **_style(answers, models))
        axes.plot(numbers["recall"], numbers["precision"], "o", color=_style(answers, models)["color"])
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()


def _roc(axes: Any, models: Sequence[Answers]) -> None:
    axes.plot([0, 1], [0, 1], color="0.8", linestyle="--")
    for answers in models:
        points = judging.curve(answers.positive, answers.score)
        label = f"{_plain(answers.name)}, area {judging.area_under_roc(points):.3f}"
        x, y = np.append(0, points.false_positive_rate), np.append(0, points.recall)
        axes.plot(x, y, label=label, **_style(answers, models))
    axes.set(xlabel="false positive rate", ylabel="recall")
    axes.legend(loc="lower right")


def _calibration(axes: Any, models: Sequence[Answers]) -> None:
    axes.plot([0, 1], [0, 1], color="0.8", linestyle="--", label="a score that is a probability")
    for answers in models:
        bins = judging.calibration(answers.positive, answers.score)
        x, y = [each["score"] for each in bins], [each["share"] for each in bins]
        axes.plot(x, y, marker=".", label=_plain(answers.name), **_style(answers, models))
    axes.set(xlabel="mean score", ylabel="share that is risky")
    axes.legend(loc="lower right")


def _scores(axes: Any, models: Sequence[Answers]) -> None:
    answers = models[-1]
    for mask, color, label in ((~answers.positive, SOFT, "others"), (answers.positive, WARN, "risky")):
        weights = np.full(int(mask.sum()), 1 / max(int(mask.sum()), 1))
        axes.hist(
            answers.score[mask], bins=20, range=(0, 1), weights=weights, color=color, alpha=0.7, label=label
        )
    axes.axvline(answers.threshold, color="0.1", linestyle="--", label=f"threshold {answers.threshold:.2f}")
    axes.set(xlabel="score", ylabel="share of rows", title=_plain(answers.name))
    axes.legend()


def _confusion(axes: Any, models: Sequence[Answers]) -> None:
    answers = models[-1]
    matrix = judging.confusion(answers)[:-1]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(matrix):
        color = "white" if share[row, column] > 0.5 else "0.1"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    names = [_plain(name) for name in answers.classes]
    axes.set_xticks(range(len(names) + 1), [*names, UNKNOWN])
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="likeliest class", ylabel="actual class", title=_plain(answers.name))


def _style(answers: Answers, models: Sequence[Answers]) -> dict[str, Any]:
    is_mean = answers is models[-1]
    return {
        "color": ACCENT if is_mean else SOFT,
        "linewidth": 2 if is_mean else 1,
        "zorder": 3 if is_mean else 2,
    }


def _plain(name: str) -> str:
    """A name as text: without what matplotlib would take for mathematics or a new line."""
    text = " ".join(name.split()).replace("$", r"\$")
    return text if len(text) <= 40 else f"{text[:37]}…"
