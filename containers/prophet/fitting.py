"""What one training process does with one customer: read, fit, and write the archive at once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import customers
import engine

from trainyard.in_image.archives import write_archive


@dataclass(frozen=True)
class Task:
    """One customer's file, and the archives to write from it."""

    data: Path
    archives: tuple[Path, ...]
    fingerprint: str
    options: engine.Options

    @property
    def customer(self) -> str:
        return customers.customer_of(customers.stem_of(self.data))


@dataclass(frozen=True)
class Outcome:
    """What became of a customer: ``status`` is fitted, reused or failed (then ``reason`` says why).

    ``mae`` and ``mape`` (percent) are in-sample; ``mape`` leaves out zeros and is None if all are.
    """

    customer: str
    file: str
    status: str
    reason: str = ""
    rows: int = 0
    mae: float | None = None
    mape: float | None = None
    seconds: float = 0.0


def fit_customer(task: Task) -> Outcome:
    """Fit one customer and write its archives. Raises OSError when they cannot be written."""
    began = time.perf_counter()
    try:
        series = customers.read_series(task.data)
        model = engine.fit(series.ds, series.y, task.options)
    except (customers.BadSeries, engine.CannotFit) as error:
        return Outcome(task.customer, task.data.name, "failed", str(error))
    mae, mape = _in_sample(series, model)
    metadata = {
        "customer": series.customer,
        "fingerprint": task.fingerprint,
        "engine": engine.identity(),
        "rows": len(series.y),
        "first": str(series.ds[0]),
        "last": str(series.ds[-1]),
        "mae": mae,
        "mape": mape,
    }
    files = {"model.json": engine.save(model), "metadata.json": json.dumps(metadata, indent=1).encode()}
    for archive in task.archives:
        write_archive(archive, files)
    seconds = time.perf_counter() - began
    return Outcome(
        series.customer, task.data.name, "fitted", rows=len(series.y), mae=mae, mape=mape, seconds=seconds
    )


def _in_sample(series: customers.Series, model: engine.Model) -> tuple[float, float | None]:
    """MAE, and MAPE in percent over the readings that are not zero."""
    errors = abs(engine.fitted_values(model) - series.y)
    nonzero = series.y != 0
    mape = float((errors[nonzero] / abs(series.y[nonzero])).mean() * 100) if nonzero.any() else None
    return float(errors.mean()), mape
