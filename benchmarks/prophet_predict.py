"""How fast a small model forecasts and loads, and how small it is, with Prophet's own beside it.

    PYTHON benchmarks/prophet_predict.py [--rounds 7] [--models 20]

PYTHON has the family's packages. Peer, in the same run, with the same parameters: Prophet's make_future_dataframe
(without the history) and predict, which always samples intervals, and its model_from_json. Rounds alternate between
the sides; every model is asked once per round, so that nothing is answered from a cache. 731 daily readings each.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "containers" / "prophet")]

import engine  # noqa: E402
import numpy as np  # noqa: E402
import prophet_json  # noqa: E402
import stan_engine  # noqa: E402

from trainyard.in_image.archives import write_archive  # noqa: E402

DAYS, STEPS = 731, 7


class Line(NamedTuple):
    """One measured number, the peer's and what is demanded: of their ratio, or ``most`` of the number itself."""

    what: str
    value: float
    unit: str
    peer: float
    least_ratio: float = 0.0
    most: float = math.inf

    @property
    def ratio(self) -> float:
        return self.peer / self.value

    @property
    def met(self) -> bool:
        return self.ratio >= self.least_ratio and self.value < self.most

    def __str__(self) -> str:
        demanded = [f"at least {self.least_ratio:,.0f}x"] if self.least_ratio else []
        demanded += [f"under {self.most:,.0f} {self.unit}"] if self.most < math.inf else []
        verdict = f"{' and '.join(demanded)}: {'met' if self.met else 'NOT met'}" if demanded else ""
        sizes = f"{self.value:>12,.4g} {self.unit:5}{self.peer:>12,.4g} {self.unit:5}"
        return f"{self.what:44}{sizes}{self.ratio:>10,.0f}x  {verdict}"


class Subject(NamedTuple):
    """One customer in both forms."""

    model: engine.Model
    content: bytes
    prophet: Any
    prophet_json: str


def subjects(count: int) -> list[Subject]:
    from prophet.serialize import model_to_json

    made = []
    ds = np.datetime64("2023-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D")
    days = np.arange(DAYS)
    for number in range(count):
        generator = np.random.default_rng(number)
        y = (
            50
            + 0.01 * days
            + 8 * np.cos(2 * np.pi * days / 365.25)
            + 5 * (days % 7 >= 5)
            + generator.normal(size=DAYS)
        )
        code = engine.Provenance(
            f"customer_{number}", "0123456789abcdef" * 2, engine.identity(), {}, 1.5, 2.5
        )
        model = dataclasses.replace(engine.fit(ds, y, engine.Options()), provenance=code)
        prophet = prophet_json.to_prophet(model, ds, y)
        made.append(Subject(model, engine.save(model), prophet, model_to_json(prophet)))
    return made


def by_prophet(subject: Subject) -> None:
    subject.prophet.predict(subject.prophet.make_future_dataframe(STEPS, include_history=False))


def yhat(subject: Subject) -> None:
    engine.fitted_values(subject.model, engine.future(subject.model, STEPS))


def with_intervals(subject: Subject) -> None:
    engine.predict(subject.model, engine.future(subject.model, STEPS))


def sampled(subject: Subject) -> None:
    engine.predict(subject.model, engine.future(subject.model, STEPS), sampled=True)


def load(subject: Subject) -> None:
    engine.load(subject.content)


def load_prophet(subject: Subject) -> None:
    from prophet.serialize import model_from_json

    model_from_json(subject.prophet_json)


def milliseconds(
    works: Sequence[Callable[[Subject], None]], subjects: list[Subject], rounds: int
) -> dict[Callable[[Subject], None], float]:
    """The median time of each, over alternating rounds over all subjects."""
    taken: dict[Callable[[Subject], None], list[float]] = {work: [] for work in works}
    for _ in range(rounds):
        for work in works:
            for subject in subjects:
                began = time.perf_counter()
                work(subject)
                taken[work].append(time.perf_counter() - began)
    return {work: 1000 * statistics.median(times) for work, times in taken.items()}


def archive_size(name: str, content: bytes) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tar.gz"
        write_archive(path, {name: content})
        return path.stat().st_size


def measure(rounds: int, models: int) -> list[Line]:
    stan_engine.quiet()
    made = subjects(models)
    works = (by_prophet, yhat, with_intervals, sampled, load, load_prophet)
    took = milliseconds(works, made, rounds)
    stock = took[by_prophet]
    sizes = [len(subject.content) for subject in made]
    archives = [archive_size("model.json", subject.content) for subject in made]
    theirs = [len(subject.prophet_json) for subject in made]
    packed = [archive_size("model.json", subject.prophet_json.encode()) for subject in made]
    return [
        Line(f"{STEPS} steps, yhat", took[yhat], "ms", stock, least_ratio=1000),
        Line(f"{STEPS} steps with exact intervals", took[with_intervals], "ms", stock, least_ratio=50),
        Line(f"{STEPS} steps with Prophet's sampled intervals", took[sampled], "ms", stock),
        Line("load a model", took[load], "ms", took[load_prophet]),
        Line("JSON of a model, largest", max(sizes), "bytes", max(theirs), most=2000),
        Line("archive of a model, largest", max(archives), "bytes", max(packed), most=1000),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", type=int, default=20)
    arguments = parser.parse_args(argv)
    lines = measure(arguments.rounds, arguments.models)
    print(f"{'':44}{'ours':>18}{'Prophet':>18}{'ratio':>11}")
    print(*lines, sep="\n")
    return 0 if all(line.met for line in lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
