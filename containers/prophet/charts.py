"""The report's charts as SVG text: no library, no fixed colours, readable by a screen reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from scoring import Score

Point = tuple[float, float]
BINS = 24


class Axes:
    """A plot area of ``width`` x ``height`` pixels that maps data to positions and draws its axes."""

    def __init__(self, width: int, height: int, x: Point, y: Point) -> None:
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = 54, 14, 12, 30
        self._x, self._y = x, y

    def x(self, value: float) -> float:
        low, high = self._x
        inner = self.width - self.left - self.right
        return round(self.left + inner * (value - low) / ((high - low) or 1), 1)

    def y(self, value: float) -> float:
        low, high = self._y
        inner = self.height - self.top - self.bottom
        return round(self.height - self.bottom - inner * (value - low) / ((high - low) or 1), 1)

    def path(self, points: Sequence[Point], kind: str) -> str:
        line = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)
        return f'<polyline class="{kind}" points="{line}"/>'

    def band(self, lower: Sequence[Point], upper: Sequence[Point]) -> str:
        outline = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in [*upper, *reversed(lower)])
        return f'<polygon class="band" points="{outline}"/>'

    def dots(self, points: Sequence[Point], kind: str) -> str:
        return "".join(f'<circle class="{kind}" cx="{self.x(x)}" cy="{self.y(y)}" r="3"/>' for x, y in points)

    def vertical(self, value: float, kind: str, label: str, left: bool = False) -> str:
        at, top = self.x(value), self.top
        anchor = f'x="{at - 6}" text-anchor="end"' if left else f'x="{at + 6}" text-anchor="start"'
        return (
            f'<line class="{kind}" x1="{at}" x2="{at}" y1="{top}" y2="{self.height - self.bottom}"/>'
            f'<text class="mark" {anchor} y="{top + 10}">{escape(label)}</text>'
        )

    def horizontal(self, value: float, kind: str) -> str:
        at = self.y(value)
        return f'<line class="{kind}" x1="{self.left}" x2="{self.width - self.right}" y1="{at}" y2="{at}"/>'

    def ticks_x(self, ticks: Sequence[tuple[float, str]]) -> str:
        base = self.height - self.bottom
        return "".join(
            f'<text class="tick" x="{self.x(at)}" y="{base + 18}" text-anchor="middle">{escape(label)}</text>'
            for at, label in ticks
        )

    def ticks_y(self, ticks: Sequence[tuple[float, str]]) -> str:
        return "".join(
            f"{self.horizontal(at, 'grid')}"
            f'<text class="tick" x="{self.left - 8}" y="{self.y(at) + 4}" text-anchor="end">{escape(label)}</text>'
            for at, label in ticks
        )

    def svg(self, title: str, *parts: str) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
        )


def histogram(values: Sequence[float], median: float) -> str:
    """The distribution of MASE: bars left of 1 are customers whose forecast beats seasonal naive."""
    top = max(2.0, float(np.quantile(values, 0.98)) * 1.05)
    counts, edges = np.histogram(np.minimum(values, top), bins=BINS, range=(0, top))
    axes = Axes(520, 230, (0, top), (0, counts.max() * 1.2))
    bars = []
    for count, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        x, y = axes.x(low) + 1, axes.y(count)
        kind = "bar good" if (low + high) / 2 < 1 else "bar poor"
        size = f'width="{max(axes.x(high) - x - 1, 1):.1f}" height="{axes.y(0) - y:.1f}"'
        tip = f"<title>{count} customers from {low:.2f} to {high:.2f}</title>"
        bars.append(f'<rect class="{kind}" x="{x}" y="{y}" {size} rx="1.5">{tip}</rect>')
    whole = [tick for tick in nice_ticks(0, float(counts.max())) if tick == int(tick)]
    return axes.svg(
        f"Histogram of MASE over {len(values)} customers, median {median:.2f}",
        axes.ticks_y([(tick, f"{tick:g}") for tick in whole]),
        *bars,
        axes.ticks_x([(tick, f"{tick:g}") for tick in nice_ticks(0, top)]),
        axes.vertical(1.0, "rule", "seasonal naive", left=median > 1),
        axes.vertical(min(median, top), "rule strong", f"median {median:.2f}", left=median <= 1),
    )


def coverage(steps: Sequence[dict[str, Any]], nominal: float) -> str:
    """How many held-out readings lay inside their interval, by step ahead, against what was promised."""
    axes = Axes(520, 230, (steps[0]["step"] - 0.5, steps[-1]["step"] + 0.5), (0, 1.04))
    points = [(step["step"], step["coverage"]) for step in steps]
    every = max(1, math.ceil(len(steps) / 12))
    return axes.svg(
        f"Interval coverage by step ahead, nominal {nominal:.0%}",
        axes.ticks_y([(tick, f"{tick:.0%}") for tick in (0, 0.25, 0.5, 0.75, 1)]),
        axes.horizontal(nominal, "rule strong"),
        axes.path(points, "line forecast"),
        axes.dots(points, "dot forecast") if len(points) <= 60 else "",
        axes.ticks_x([(step["step"], str(step["step"])) for step in steps[::every]]),
    )


def forecast(score: Score) -> str:
    """A customer's last readings, the forecast with its interval, and what really came."""
    history = list(zip(_seconds(score.history_ds), score.history_y.tolist(), strict=True))
    at = _seconds(score.forecast.ds)
    truth = list(zip(at, score.actual.tolist(), strict=True))
    yhat, lower, upper = (
        list(zip(at, getattr(score.forecast, name).tolist(), strict=True))
        for name in ("yhat", "yhat_lower", "yhat_upper")
    )
    y = [value for points in (history, truth, yhat, lower, upper) for _, value in points]
    margin = (max(y) - min(y)) * 0.06 or 1.0
    low, high = min(y) - margin, max(y) + margin
    times = [*_seconds(score.history_ds), *at]
    axes = Axes(520, 230, (times[0], times[-1]), (low, high))
    dates = np.linspace(times[0], times[-1], 6)[1:-1].tolist()
    return axes.svg(
        f"Forecast of {score.customer} against {score.points} held-out readings",
        axes.ticks_y([(tick, short(tick)) for tick in nice_ticks(low, high, 4)]),
        axes.band(lower, upper),
        axes.path(history, "line history"),
        axes.path([*history[-1:], *truth], "line truth"),
        axes.dots(truth, "dot truth") if len(truth) <= 40 else "",
        axes.path(yhat, "line forecast"),
        axes.ticks_x([(tick, _date(tick, times[-1] - times[0])) for tick in dates]),
    )


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within a range: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    if not raw > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step)
    return [float(f"{index * step:.12g}") for index in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 1.2M, 35k, 0.5."""
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _seconds(ds: np.ndarray[Any, Any]) -> list[float]:
    return [float(value) for value in ds.astype("datetime64[s]").astype(np.int64)]


def _date(seconds: float, span: float) -> str:
    text = str(np.datetime64(int(seconds), "s"))
    return text[:10] if span > 4 * 86_400 else text[5:16].replace("T", " ")
