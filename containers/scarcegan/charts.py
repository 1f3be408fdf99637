"""The report's charts as SVG text: no library, no fixed colours, readable by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import judging
import numpy as np
from judging import Answers

Point = tuple[float, float]
SHARES = [(tick, f"{tick:.0%}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
_SCORE_BINS = 20


class Axes:
    """A plot area of ``width`` x ``height`` pixels, data from 0 to 1 in both directions unless told."""

    def __init__(self, width: int = 520, height: int = 300, top: float = 1.0) -> None:
        self.width, self.height, self._highest = width, height, top
        self.left, self.right, self.top, self.bottom = 54, 24, 12, 46

    def x(self, value: float) -> float:
        return round(self.left + (self.width - self.left - self.right) * value, 1)

    def y(self, value: float) -> float:
        inner = self.height - self.top - self.bottom
        return round(self.height - self.bottom - inner * value / self._highest, 1)

    def path(self, points: Sequence[Point], kind: str, tip: str = "") -> str:
        line = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)
        title = f"<title>{escape(tip)}</title>" if tip else ""
        return f'<polyline class="{kind}" points="{line}">{title}</polyline>'

    def dot(self, x: float, y: float, kind: str, tip: str, size: float = 4) -> str:
        return (
            f'<circle class="{kind}" cx="{self.x(x)}" cy="{self.y(y)}" r="{size:g}">'
            f"<title>{escape(tip)}</title></circle>"
        )

    def bar(self, low: float, high: float, value: float, kind: str, tip: str) -> str:
        x, y = self.x(low), self.y(value)
        size = f'width="{max(self.x(high) - x - 1, 1):.1f}" height="{max(self.y(0) - y, 0):.1f}"'
        return f'<rect class="{kind}" x="{x}" y="{y}" {size} rx="1.5"><title>{escape(tip)}</title></rect>'

    def vertical(self, value: float, label: str) -> str:
        at = self.x(value)
        anchor = f'x="{at - 6}" text-anchor="end"' if value > 0.7 else f'x="{at + 6}" text-anchor="start"'
        return (
            f'<line class="rule" x1="{at}" x2="{at}" y1="{self.top}" y2="{self.height - self.bottom}"/>'
            f'<text class="mark" {anchor} y="{self.top + 10}">{escape(label)}</text>'
        )

    def frame(self, x_title: str, y_title: str, y_ticks: Sequence[tuple[float, str]] = SHARES) -> str:
        """Grid lines, ticks and the names of both axes."""
        base, middle = self.height - self.bottom, (self.top + self.height - self.bottom) / 2
        lines = [
            f'<line class="grid" x1="{self.left}" x2="{self.width - self.right}" y1="{self.y(at)}" y2="{self.y(at)}"/>'
            f'<text class="tick" x="{self.left - 8}" y="{self.y(at) + 4}" text-anchor="end">{escape(label)}</text>'
            for at, label in y_ticks
        ]
        lines += [
            f'<text class="tick" x="{self.x(at)}" y="{base + 18}" text-anchor="middle">{label}</text>'
            for at, label in SHARES
        ]
        middle_x = (self.left + self.width - self.right) / 2
        lines.append(f'<text x="{middle_x}" y="{base + 38}" text-anchor="middle">{escape(x_title)}</text>')
        lines.append(
            f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
        )
        return "".join(lines)

    def svg(self, title: str, *parts: str) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
        )


def precision_recall(models: Sequence[Answers]) -> str:
    """A line for each model, the last one (their mean) strongest, with a dot where its threshold lies."""
    axes, lines = Axes(), []
    for answers in models:
        points = judging.curve(answers.positive, answers.score).thinned()
        lines.append(_line(axes, answers, models, zip(points.recall, points.precision, strict=True)))
        numbers = judging.binary(answers)
        tip = f"{answers.name} at its threshold: recall {numbers['recall']:.3f}, precision {numbers['precision']:.3f}"
        lines.append(axes.dot(numbers["recall"], numbers["precision"], f"dot {_kind(answers, models)}", tip))
    best = ", ".join(f"{each.name} {judging.binary(each)['au_prc']:.3f}" for each in models)
    return axes.svg(
        f"Precision over recall; average precision: {best}", axes.frame("Recall", "Precision"), *lines
    )


def receiver_operating(models: Sequence[Answers]) -> str:
    axes = Axes()
    lines = [axes.path([(0, 0), (1, 1)], "rule")]
    for answers in models:
        points = judging.curve(answers.positive, answers.score).thinned()
        both = zip(np.append(0, points.false_positive_rate), np.append(0, points.recall), strict=True)
        lines.append(_line(axes, answers, models, both))
    area = ", ".join(f"{each.name} {judging.binary(each)['auc']:.3f}" for each in models)
    frame = axes.frame("False positive rate", "Recall")
    return axes.svg(f"Receiver operating characteristic; area: {area}", frame, *lines)


def calibration(models: Sequence[Answers]) -> str:
    """The share that is risky over the mean score, in tenths; on the diagonal a score is a probability."""
    axes = Axes()
    parts = [axes.path([(0, 0), (1, 1)], "rule")]
    for answers in models:
        bins = judging.calibration(answers.positive, answers.score)
        parts.append(_line(axes, answers, models, [(each["score"], each["share"]) for each in bins]))
        for each in bins if answers is models[-1] else ():
            tip = f"{each['rows']:.0f} rows of mean score {each['score']:.2f}: {each['share']:.0%} are risky"
            parts.append(axes.dot(each["score"], each["share"], "dot mean", tip, 3))
    title = f"Share of risky rows over the score, in tenths, of {len(models)} models"
    return axes.svg(title, axes.frame("Mean score", "Share that is risky"), *parts)


def scores(answers: Answers) -> str:
    """How the scores of risky and of other rows are distributed, each as shares of its own."""
    shares = []
    for mask in (answers.positive, ~answers.positive):
        counts, _ = np.histogram(answers.score[mask], bins=_SCORE_BINS, range=(0, 1))
        shares.append((counts / max(mask.sum(), 1)).tolist())
    axes = Axes(top=max(map(max, shares)) * 1.15 or 1.0)
    bars = []
    for index, (risky, others) in enumerate(zip(*shares, strict=True)):
        low, size = index / _SCORE_BINS, 1 / _SCORE_BINS
        tip = f"score {low:.2f} to {low + size:.2f}: {risky:.1%} of the risky, {others:.1%} of the others"
        bars.append(axes.bar(low, low + size / 2, others, "bar others", tip))
        bars.append(axes.bar(low + size / 2, low + size, risky, "bar risky", tip))
    ticks = [
        (tick, f"{tick:.0%}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0) if tick <= max(map(max, shares)) * 1.1
    ]
    mark = axes.vertical(min(max(answers.threshold, 0.0), 1.0), f"threshold {answers.threshold:.2f}")
    title = f"Scores of {int(answers.positive.sum())} risky and {int((~answers.positive).sum())} other rows"
    return axes.svg(title, axes.frame("Score", "Share of rows", ticks), *bars, mark)


def _line(axes: Axes, answers: Answers, models: Sequence[Answers], points: object) -> str:
    kind = _kind(answers, models)
    return axes.path([(float(x), float(y)) for x, y in points], f"line {kind}", answers.name)


def _kind(answers: Answers, models: Sequence[Answers]) -> str:
    return "mean" if answers is models[-1] else "model"
