"""What one training process does with a batch of customers: read, fit, and write each archive at once.

Customers with the same timestamps are fitted together, whichever of them were fitted before: the last digits of a
model depend on its companions, and so are the same however often a job is interrupted.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkpoints
import customers
import engine
import numpy as np

from trainyard.in_image.archives import packed, place

MOST, MOST_BYTES = 128, 16 << 20  # customers of a batch, and what their files have


@dataclass(frozen=True)
class Job:
    """What is the same for all customers; ``folders`` are where archives go, the first has the checkpoints."""

    data: Path
    folders: tuple[Path, ...]
    options: engine.Options
    identity: str


@dataclass(frozen=True)
class Batch:
    """Customers' files by name."""

    job: Job
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a customer: ``status`` is fitted, reused or failed (then ``reason`` says why).

    ``mae`` and ``mape`` (percent) are in-sample; ``mape`` leaves out zeros and is None if all are.
    ``seconds`` is the customer's share of its batch's time.
    """

    customer: str
    file: str
    status: str
    reason: str = ""
    rows: int = 0
    mae: float | None = None
    mape: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class _Read:
    name: str
    fingerprint: str
    series: customers.Series


def batches(job: Job, names: Iterable[str]) -> Iterator[Batch]:
    """The same names always make the same batches."""
    most = MOST if engine.together(job.options) else 1
    some: list[str] = []
    size = 0
    for name in names:
        more = (job.data / name).stat().st_size
        if some and (len(some) == most or size + more > MOST_BYTES):
            yield Batch(job, tuple(some))
            some, size = [], 0
        some.append(name)
        size += more
    if some:
        yield Batch(job, tuple(some))


def one_by_one(batch: Batch) -> list[Batch]:
    return [Batch(batch.job, (name,)) for name in batch.names]


def fit_batch(batch: Batch) -> list[Outcome]:
    """Fit customers and write their archives, or keep those that are whole. Raises OSError when it cannot write."""
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    reused: dict[str, Outcome] = {}
    contents: dict[str, tuple[str, bytes]] = {}
    for name in batch.names:
        content = (batch.job.data / name).read_bytes()
        fingerprint = checkpoints.fingerprint(content, batch.job.options, batch.job.identity)
        contents[name] = fingerprint, content
        if kept := checkpoints.reuse(batch.job.folders, archive(name), fingerprint):
            made, rows = kept.provenance, kept.parameters.rows
            reused[name] = Outcome(made.customer, name, "reused", "", rows, made.mae, made.mape)
    if len(reused) < len(batch.names):
        for group in _groups(contents, outcomes, reused):
            outcomes += _fit(group, batch.job, reused)
    share = (time.perf_counter() - began) / len(batch.names)
    fitted = [dataclasses.replace(one, seconds=share) if one.status == "fitted" else one for one in outcomes]
    return [*reused.values(), *fitted]


def archive(name: str) -> str:
    return f"{name.removesuffix('.csv')}.tar.gz"


def _groups(
    contents: dict[str, tuple[str, bytes]], outcomes: list[Outcome], reused: dict[str, Outcome]
) -> list[list[_Read]]:
    """Customers by their timestamps, groups without anything to fit left out; who cannot be read is an outcome."""
    groups: dict[bytes, list[_Read]] = {}
    for name, (fingerprint, content) in contents.items():
        stem = name.removesuffix(".csv")
        try:
            read = _Read(name, fingerprint, customers.parse_series(content, stem))
        except customers.BadSeries as error:
            outcomes.append(Outcome(customers.customer_of(stem), name, "failed", str(error)))
        else:
            groups.setdefault(read.series.ds.tobytes(), []).append(read)
    return [group for group in groups.values() if any(one.name not in reused for one in group)]


def _fit(group: list[_Read], job: Job, reused: dict[str, Outcome]) -> Iterator[Outcome]:
    """Everyone of the group is fitted, or else each by itself; written is what there was not."""
    ds = group[0].series.ds
    if len(group) > 1 and engine.together(job.options):
        try:
            models = engine.fit_many(ds, np.column_stack([one.series.y for one in group]), job.options)
        except engine.CannotFit:
            pass
        else:
            fitted = engine.fitted_values_of_many(models, ds)
            for one, model, yhat in zip(group, models, fitted, strict=True):
                if one.name not in reused:
                    yield _write(one, model, yhat, job)
            return
    for one in group:
        if one.name not in reused:
            try:
                model = engine.fit(ds, one.series.y, job.options)
            except engine.CannotFit as error:
                yield Outcome(one.series.customer, one.name, "failed", str(error))
            else:
                yield _write(one, model, engine.fitted_values(model, ds), job)


def _write(one: _Read, model: engine.Model, yhat: np.ndarray[Any, Any], job: Job) -> Outcome:
    mae, mape = in_sample(one.series.y, yhat)
    made = engine.Provenance(
        one.series.customer, one.fingerprint, job.identity, _changed(job.options), mae, mape
    )
    content = packed({"model.json": engine.save(dataclasses.replace(model, provenance=made))})
    for folder in job.folders:
        # what a power cut damages is found out by reuse(): not worth thousands of waits for the disk
        place(folder / archive(one.name), content, on_disk=False)
    return Outcome(one.series.customer, one.name, "fitted", "", len(one.series.y), mae, mape)


def _changed(options: engine.Options) -> dict[str, Any]:
    """The options that are not the default: what an archive says about them."""
    default = vars(engine.Options())
    return {name: value for name, value in vars(options).items() if value != default[name]}


def in_sample(y: np.ndarray[Any, Any], yhat: np.ndarray[Any, Any]) -> tuple[float, float | None]:
    """MAE, and MAPE in percent over the readings that are not zero; six digits of each."""
    errors = abs(yhat - y)
    nonzero = y != 0
    mape = (errors[nonzero] / abs(y[nonzero])).mean() * 100 if nonzero.any() else None
    return _six_digits(errors.mean()), None if mape is None else _six_digits(mape)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
