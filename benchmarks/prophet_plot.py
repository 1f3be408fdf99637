"""Draw docs/images/prophet-time.png: time against number of customers, Prophet and trainyard, one process each.

    PYTHON benchmarks/prophet_plot.py POINTS [--output docs/images/prophet-time.png]

PYTHON has matplotlib (the family's packages). POINTS is what benchmarks/prophet_job.py --points has written, or what
``trainyard bench prophet --json`` prints. What was not measured of Prophet is drawn dashed, in proportion.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"trainyard": "#1a7f5a", "Prophet": "#b5482a"}


def points_of(document: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Customers and seconds of each side."""
    if "results" in document:
        document = document["results"]["prophet"]["speed"]["points"]
    return {name: document[name] for name in COLOURS}


def beyond(points: list[list[float]], most: float) -> list[list[float]]:
    """From the last point on, in proportion."""
    customers, seconds = points[-1]
    return [points[-1], [most, seconds * most / customers]]


def draw(points: dict[str, list[list[float]]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    most = max(customers for side in points.values() for customers, _ in side)
    for name, measured in points.items():
        axes.plot(*zip(*measured, strict=True), "o-", color=COLOURS[name])
        end = measured[-1]
        if end[0] < most:
            end = beyond(measured, most)[1]
            axes.plot(*zip(*beyond(measured, most), strict=True), "--", color=COLOURS[name])
        note = f"{name}\n{_time(end[1])}{'' if measured[-1][0] == most else ' (extrapolated)'}"
        axes.annotate(note, end, xytext=(-8, 8), textcoords="offset points", ha="right", color=COLOURS[name])
    axes.set(xscale="log", yscale="log", xlabel="customers, 731 daily readings each", ylabel="seconds")
    axes.set_title("From CSVs to model archives, one process", loc="left")
    axes.grid(alpha=0.3)
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "prophet-time.png")
    arguments = parser.parse_args(argv)
    draw(points_of(json.loads(arguments.points.read_text())), arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
