"""The report's charts as SVG text: no library, no fixed colours, readable by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from coco_scores import Curve
from judging import BINS, Split

Tick = tuple[float, str]
SHARES: list[Tick] = [(tick, f"{tick:.0%}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
NUMBERS: list[Tick] = [(tick, f"{tick:g}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
MOST_LINES, MOST_BARS = 40, 30
_SIZES = ("small", "medium", "large")
_BAR, _LABEL = 22, 150  # pixels: the height of a class's bar, the room for its name


class Axes:
    """A plot area of ``width`` x ``height`` pixels, data from 0 to 1 in both directions unless told."""

    def __init__(self, width: int = 520, height: int = 300, top: float = 1.0, left: int = 54) -> None:
        self.width, self.height, self._highest = width, height, top
        self.left, self.right, self.top, self.bottom = left, 24, 12, 46

    def x(self, value: float) -> float:
        return round(self.left + (self.width - self.left - self.right) * value, 1)

    def y(self, value: float) -> float:
        inner = self.height - self.top - self.bottom
        return round(self.height - self.bottom - inner * value / self._highest, 1)

    def path(self, xs: Sequence[float], ys: Sequence[float], kind: str, tip: str) -> str:
        line = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in zip(xs, ys, strict=True))
        return f'<polyline class="{kind}" points="{line}"><title>{escape(tip)}</title></polyline>'

    def bar(self, low: float, high: float, value: float, kind: str, tip: str) -> str:
        x, y = self.x(low), self.y(value)
        size = f'width="{max(self.x(high) - x - 1, 1):.1f}" height="{max(self.y(0) - y, 0):.1f}"'
        return f'<rect class="{kind}" x="{x}" y="{y}" {size} rx="1.5"><title>{escape(tip)}</title></rect>'

    def text(self, x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick") -> str:
        return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'

    def vertical(self, value: float, label: str) -> str:
        at = self.x(value)
        beside = (at - 6, "end") if value > 0.7 else (at + 6, "start")
        return (
            f'<line class="rule" x1="{at}" x2="{at}" y1="{self.top}" y2="{self.height - self.bottom}"/>'
            + self.text(beside[0], self.top + 10, label, beside[1], "mark")
        )

    def frame(self, x_title: str, y_title: str, x_ticks: Sequence[Tick], y_ticks: Sequence[Tick]) -> str:
        """Grid lines, ticks and the names of both axes."""
        base, middle = self.height - self.bottom, (self.top + self.height - self.bottom) / 2
        lines = [
            f'<line class="grid" x1="{self.left}" x2="{self.width - self.right}" y1="{self.y(at)}" y2="{self.y(at)}"/>'
            + self.text(self.left - 8, self.y(at) + 4, label, "end")
            for at, label in y_ticks
        ]
        lines += [self.text(self.x(at), base + 18, label) for at, label in x_ticks]
        lines.append(self.text((self.left + self.width - self.right) / 2, base + 38, x_title))
        lines.append(
            f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
        )
        return "".join(lines)

    def svg(self, title: str, *parts: str) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
        )


def precision_recall(split: Split) -> str:
    """A line for each of the classes with most truth, and their mean, strongest."""
    axes, counts = Axes(), split.class_counts
    truth = counts[:, 0] + counts[:, 2]
    shown = [each for each in (-truth).argsort(kind="stable").tolist() if truth[each]][:MOST_LINES]
    lines = [_curve(axes, split.scores.curves[each], "model", split.dataset.classes[each]) for each in shown]
    lines.append(_curve(axes, split.scores.mean_curve, "mean", "mean of the classes"))
    title = f"Precision over recall at IoU 0.50 of {len(shown)} classes; AP50 is {_text(split.scores.overall.ap50)}"
    return axes.svg(title, axes.frame("Recall", "Precision", SHARES, SHARES), *lines)


def class_bars(split: Split) -> str:
    """AP of each class, best first, with a mark at its AP50."""
    rows = sorted(
        ((score.ap, score.ap50, name) for name, score in zip(split.dataset.classes, split.scores.per_class, strict=True)
         if score.ap is not None and score.ap50 is not None),
        reverse=True,
    )[:MOST_BARS]  # fmt: skip
    axes = Axes(height=58 + _BAR * max(len(rows), 1), left=_LABEL)
    base = axes.height - axes.bottom
    parts = [
        f'<line class="grid" x1="{axes.x(at)}" x2="{axes.x(at)}" y1="{axes.top}" y2="{base}"/>'
        + axes.text(axes.x(at), base + 18, label)
        for at, label in NUMBERS
    ]
    for number, (ap, ap50, name) in enumerate(rows):
        top = axes.top + number * _BAR
        tip = f"<title>{escape(name)}: AP {ap:.3f}, AP50 {ap50:.3f}</title>"
        parts += [
            axes.text(axes.left - 8, top + 15, name if len(name) <= 22 else f"{name[:21]}…", "end"),
            f'<rect class="bar right" x="{axes.x(0)}" y="{top + 4}" width="{axes.x(ap) - axes.x(0):.1f}" '
            f'height="{_BAR - 8}" rx="1.5">{tip}</rect>',
            f'<rect class="bar ap50" x="{axes.x(ap50) - 1.5:.1f}" y="{top + 2}" width="3" height="{_BAR - 4}">'
            f"{tip}</rect>",
        ]
    title = f"AP of {len(rows)} classes, with a mark at AP50"
    return axes.svg(title, *parts, axes.text(axes.x(0.5), base + 38, "Average precision"))


def size_bars(splits: Sequence[Split]) -> str:
    """AP of small, medium and large truth, of each split."""
    axes, bars = Axes(), []
    for place, size in enumerate(_SIZES):
        for number, split in enumerate(splits):
            value = getattr(split.scores.overall, size)
            low = (place + 0.15 + 0.7 * number / len(splits)) / len(_SIZES)
            high = low + 0.7 / len(splits) / len(_SIZES)
            tip = f"{split.name}, {size}: {'no truth of that size' if value is None else f'AP {value:.3f}'}"
            bars.append(axes.bar(low, high, value or 0.0, f"bar split{number}", tip))
            bars.append(axes.text((axes.x(low) + axes.x(high)) / 2, axes.y(value or 0) - 4, _text(value, 2)))
    ticks = [((place + 0.5) / len(_SIZES), size) for place, size in enumerate(_SIZES)]
    title = "AP by the size of truth: " + "; ".join(
        f"{split.name} {', '.join(f'{size} {_text(getattr(split.scores.overall, size))}' for size in _SIZES)}"
        for split in splits
    )
    return axes.svg(title, axes.frame("Size", "Average precision", ticks, NUMBERS), *bars)


def scores(split: Split) -> str:
    """How many right and false detections have which score."""
    right, false = (counts.tolist() for counts in split.score_counts())
    highest = max(*right, *false, 1)
    axes, bars = Axes(top=highest * 1.15), []
    for index, (good, bad) in enumerate(zip(right, false, strict=True)):
        low, size = index / BINS, 1 / BINS
        tip = f"score {low:.2f} to {low + size:.2f}: {good:,} right, {bad:,} false"
        bars.append(axes.bar(low, low + size / 2, good, "bar right", tip))
        bars.append(axes.bar(low + size / 2, low + size, bad, "bar false", tip))
    ticks = [(float(at), f"{at:,}") for at in sorted({0, highest // 2, highest})]
    mark = axes.vertical(split.threshold, f"threshold {split.threshold:.2f}")
    title = f"Scores of {sum(right):,} right and {sum(false):,} false detections"
    return axes.svg(title, axes.frame("Score", "Detections", NUMBERS, ticks), *bars, mark)


def _curve(axes: Axes, curve: Curve, kind: str, name: str) -> str:
    return axes.path(curve.recall.tolist(), curve.precision.tolist(), f"line {kind}", name)


def _text(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
