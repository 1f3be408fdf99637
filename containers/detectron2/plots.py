"""The report's charts as PNG files, for places that show no HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from charts import MOST_BARS, MOST_LINES
from judging import BINS, Split
from report import MOST_CLASSES

RIGHT, FALSE, SOFT, INK = "#0072b2", "#e66100", "0.65", "0.1"


def write(folder: Path, splits: Sequence[Split]) -> None:
    """Of the first split: curves, AP by class, scores, confusion of few classes; AP by size of all splits."""
    import matplotlib

    matplotlib.use("Agg")  # no display in a container
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Any, Sequence[Split]], None]] = {
        "precision_recall": _precision_recall,
        "ap_by_class": _ap_by_class,
        "ap_by_size": _ap_by_size,
        "scores": _scores,
    }
    if len(splits[0].dataset.classes) <= MOST_CLASSES:
        drawings["confusion"] = _confusion
    for name, draw in drawings.items():
        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        draw(figure.subplots(), splits)
        figure.savefig(folder / f"{name}.png", dpi=120)


def _precision_recall(axes: Any, splits: Sequence[Split]) -> None:
    split = splits[0]
    truth = split.class_counts[:, 0] + split.class_counts[:, 2]
    few = len(split.dataset.classes) <= MOST_CLASSES
    for place in (-truth).argsort(kind="stable")[:MOST_LINES].tolist():
        score, curve = split.scores.per_class[place], split.scores.curves[place]
        if score.ap50 is not None:
            label = f"{_plain(split.dataset.classes[place])}, AP50 {score.ap50:.3f}" if few else None
            style = {"label": label} if few else {"color": SOFT}
            axes.plot(curve.recall, curve.precision, linewidth=1, **style)
    mean, ap50 = split.scores.mean_curve, split.scores.overall.ap50
    label = "mean" if ap50 is None else f"mean, AP50 {ap50:.3f}"
    axes.plot(mean.recall, mean.precision, color=INK, linewidth=2.2, label=label)
    title = f"{_plain(split.name)} images, IoU 0.50"
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title=title)
    axes.legend(loc="lower left")


def _ap_by_class(axes: Any, splits: Sequence[Split]) -> None:
    split = splits[0]
    rows = [
        (score.ap, score.ap50, name)
        for name, score in zip(split.dataset.classes, split.scores.per_class, strict=True)
        if score.ap is not None
    ]
    rows = sorted(rows, reverse=True)[:MOST_BARS][::-1]
    places = np.arange(len(rows))
    axes.barh(places, [ap for ap, _, _ in rows], color=RIGHT, height=0.6, label="AP")
    axes.plot([ap50 for _, ap50, _ in rows], places, "|", color=INK, markersize=12, label="AP50")
    axes.set_yticks(places, [_plain(name) for _, _, name in rows])
    axes.set(xlabel="average precision", xlim=(0, 1.02), title=f"{_plain(split.name)} images")
    axes.legend(loc="lower right")


def _ap_by_size(axes: Any, splits: Sequence[Split]) -> None:
    sizes = ("small", "medium", "large")
    colors = (RIGHT, SOFT, INK)
    width = 0.7 / len(splits)
    for number, (split, color) in enumerate(zip(splits, colors, strict=False)):
        values = [getattr(split.scores.overall, size) for size in sizes]
        places = np.arange(len(sizes)) + (number - (len(splits) - 1) / 2) * width
        axes.bar(places, [value or 0.0 for value in values], width, color=color, label=_plain(split.name))
        for place, value in zip(places, values, strict=True):
            axes.text(place, value or 0.0, "–" if value is None else f"{value:.2f}", ha="center", va="bottom")
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set(ylabel="average precision", ylim=(0, 1.08))
    axes.legend()


def _scores(axes: Any, splits: Sequence[Split]) -> None:
    split = splits[0]
    right, false = split.score_counts()
    lows = np.arange(BINS) / BINS
    axes.bar(lows, right, 0.5 / BINS, align="edge", color=RIGHT, label="right")
    axes.bar(lows + 0.5 / BINS, false, 0.5 / BINS, align="edge", color=FALSE, label="false")
    axes.axvline(split.threshold, color=INK, linestyle="--", label=f"threshold {split.threshold:.2f}")
    axes.set(xlabel="score", ylabel="detections", title=f"{_plain(split.name)} images", xlim=(0, 1))
    axes.legend()


def _confusion(axes: Any, splits: Sequence[Split]) -> None:
    split = splits[0]
    matrix = split.confusion()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(matrix):
        color = "white" if share[row, column] > 0.5 else INK
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    names = [_plain(name) for name in split.dataset.classes]
    axes.set_xticks(range(len(names) + 1), [*names, "missed"], rotation=30, ha="right")
    axes.set_yticks(range(len(names) + 1), [*names, "no truth there"])
    axes.set(xlabel="detected", ylabel="truth", title=f"{_plain(split.name)} images")


def _plain(name: str) -> str:
    """A name as text: without what matplotlib would take for mathematics or a new line."""
    text = " ".join(name.split()).replace("$", r"\$")
    return text if len(text) <= 40 else f"{text[:37]}…"
