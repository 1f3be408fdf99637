"""What one training process does with one customer: read, fit, and write the archive at once."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import customers
import engine
import numpy as np

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
    mae, mape = in_sample(series.y, engine.fitted_values(model, series.ds))
    model = dataclasses.replace(model, provenance=provenance(series.customer, task, mae, mape))
    files = {"model.json": engine.save(model)}
    for archive in task.archives:
        write_archive(archive, files)
    seconds = time.perf_counter() - began
    return Outcome(
        series.customer, task.data.name, "fitted", rows=len(series.y), mae=mae, mape=mape, seconds=seconds
    )


def provenance(customer: str, task: Task, mae: float, mape: float | None) -> engine.Provenance:
    """What the archive says about itself; of the options just those that are not the default."""
    default, given = dataclasses.asdict(engine.Options()), dataclasses.asdict(task.options)
    options = {name: value for name, value in given.items() if value != default[name]}
    return engine.Provenance(customer, task.fingerprint, engine.identity(), options, mae, mape)


def in_sample(y: np.ndarray[Any, Any], yhat: np.ndarray[Any, Any]) -> tuple[float, float | None]:
    """MAE, and MAPE in percent over the readings that are not zero; six digits of each."""
    errors = abs(yhat - y)
    nonzero = y != 0
    mape = (errors[nonzero] / abs(y[nonzero])).mean() * 100 if nonzero.any() else None
    return _six_digits(errors.mean()), None if mape is None else _six_digits(mape)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
