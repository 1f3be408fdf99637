"""The same charts as PNG files, for places that show no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scoring import Score


def write(folder: Path, scores: Sequence[Score], selection: Sequence[tuple[str, Score]]) -> None:
    """``mase.png`` over all customers, and one forecast of each selected customer, named as its files are."""
    import matplotlib

    matplotlib.use("Agg")  # no display in a container
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    known = [score.mase for score in scores if score.mase is not None]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    top = max(2.0, float(np.quantile(known, 0.98)) * 1.05)
    axes.hist(np.minimum(known, top), bins=24, range=(0, top), color="#1d5fd1")
    axes.axvline(1.0, color="0.4", linestyle="--", label="seasonal naive")
    axes.axvline(float(np.median(known)), color="0.1", label=f"median {np.median(known):.2f}")
    axes.set(xlabel="MASE", ylabel="customers")
    axes.legend()
    figure.savefig(folder / "mase.png", dpi=120)
    for label, score in selection:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        forecast = score.forecast
        axes.plot(score.history_ds, score.history_y, color="0.6", linewidth=1, label="history")
        axes.fill_between(forecast.ds, forecast.yhat_lower, forecast.yhat_upper, color="#1d5fd1", alpha=0.18)
        axes.plot(forecast.ds, forecast.yhat, color="#1d5fd1", label="forecast")
        axes.plot(forecast.ds, score.actual, color="0.1", marker=".", linewidth=1, label="held out")
        mase = "undefined" if score.mase is None else f"{score.mase:.2f}"
        axes.set_title(f"{label}: {_plain(score.customer)}, MASE {mase}")
        axes.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator()))
        axes.legend(loc="upper left")
        figure.savefig(folder / f"{score.stem}.png", dpi=120)


def _plain(customer: str) -> str:
    """An id as a title: without what matplotlib would take for mathematics or a new line."""
    text = " ".join(customer.split()).replace("$", r"\$")
    return text if len(text) <= 60 else f"{text[:57]}…"
