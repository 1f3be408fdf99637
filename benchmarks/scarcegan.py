"""How fast ScarceGAN prepares, trains and answers, with the original's style of loop beside its training.

    PYTHON benchmarks/scarcegan.py [--features 50] [--rounds 3] [--steps 5000] [--users 100000]

PYTHON has the family's packages. Peer, in the same run and on the same data: the original's way of training, which is
four Keras models, four train_on_batch calls and two generator.predict calls per step, batches drawn on the host by
numpy; without its entropy diagnostic, which took most of its time. Targets on 2 cores: at least 500 steps a second and
100 times the peer at batch 32; four models of 5,000 steps in under 25 s, tracing included; 100,000 users of 60 days and
5 counters preprocessed in under a minute. Without a target: a million rows, and answers over HTTP.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "containers" / "scarcegan")]

import numpy as np  # noqa: E402
import scarcegan_processes as processes  # noqa: E402

if TYPE_CHECKING:
    from model_files import Model

BATCH, CLASSES, SIZES, POOL = 32, 4, (211, 200, 180, 100), 20_000
STEPS, USERS = 5_000, 100_000  # those that the targets are for


class Line(NamedTuple):
    """One measured number and, if there is one, its target."""

    what: str
    value: float
    least: float = 0.0
    most: float = math.inf

    @property
    def has_target(self) -> bool:
        return self.least > 0 or self.most < math.inf

    @property
    def met(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        value = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        target = f"at least {self.least:g}" if self.least else f"under {self.most:g}"
        verdict = f"{target:>15}  {'met' if self.met else 'NOT met'}"
        return f"{self.what:43}{value:>9}{verdict if self.has_target else ''}"


def data(features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    centres, labels = random.random((CLASSES, features)), np.repeat(np.arange(CLASSES), SIZES)
    rows = [centres[drawn] + 0.2 * random.normal(size=(len(drawn), features))
            for drawn in (labels, random.integers(0, CLASSES, POOL))]  # fmt: skip
    return rows[0].astype(np.float32), labels.astype(np.int32), rows[1].astype(np.float32)


def per_second(work: Callable[[], int], rounds: int) -> float:
    """The median of ``rounds``; ``work`` answers how many it did."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        found.append(work() / (time.perf_counter() - began))
    return statistics.median(found)


def in_graph(features: int, jit: bool) -> Callable[[], int]:
    import loop
    from architecture import Architecture
    from losses import Weighting
    from state import arrays, first_state
    from steps import Recipe
    from variants import VARIANTS

    shape = Architecture(features, CLASSES)
    compiled = loop.Loop(Recipe(shape, VARIANTS["full"], CLASSES - 1, Weighting(), BATCH, jit=jit))
    rows = loop.rows_of(*data(features), CLASSES, None)
    compiled.advance(first_state(shape, (0, 0)), rows, 0, 0, 1)

    def work() -> int:
        state = first_state(shape, (0, 0))
        for first in range(0, 1000, loop.CHUNK):
            state = compiled.advance(state, rows, 0, first, first + loop.CHUNK)
        arrays(state)
        return 1000

    return work


def originals_way(features: int) -> Callable[[], int]:
    """Written anew from the description of its loop; losses as simple as Keras has them, which is in its favour."""
    from tensor import tf

    layers, models, initial = tf.keras.layers, tf.keras.Sequential, "glorot_uniform"

    def stack(*widths: int) -> list:
        return [
            layer
            for width in widths
            for layer in (
                layers.Dense(width, kernel_initializer=initial),
                layers.LeakyReLU(negative_slope=0.2),
            )
        ]

    def compiled(*parts: object, loss: str = "categorical_crossentropy") -> tf.keras.Model:
        model = models(list(parts))
        model.compile(tf.keras.optimizers.Adam(1e-4, beta_1=0.5), loss)
        return model

    body = models([layers.Input([features]), *stack(15, 21, 8)])
    generator = models([layers.Input([10]), layers.Dense(30), layers.BatchNormalization(),
                        layers.LeakyReLU(negative_slope=0.2), layers.Dense(features, "relu")])  # fmt: skip
    supervised = compiled(body, layers.Dense(CLASSES + 1, "softmax"))
    unsupervised = compiled(body, layers.Dense(3, "softmax"))
    adversarial = compiled(generator, body, loss="mean_absolute_error")
    rows, labels, pool = data(features)
    random, wanted = (
        np.random.default_rng(0),
        np.eye(CLASSES + 1)[np.repeat(np.arange(CLASSES), BATCH // CLASSES)],
    )
    real, fake = np.eye(3)[np.zeros(BATCH, int)], np.eye(3)[np.full(BATCH, 2)]

    def step() -> None:
        drawn = [random.choice(np.flatnonzero(labels == number), BATCH // CLASSES, replace=False)
                 for number in range(CLASSES)]  # fmt: skip
        labelled, others = rows[np.concatenate(drawn)], pool[random.choice(POOL, BATCH, replace=False)]
        made = generator.predict(random.normal(size=(BATCH, 10)), verbose=0)
        supervised.train_on_batch(labelled, wanted)
        unsupervised.train_on_batch(others, real)
        unsupervised.train_on_batch(made, fake)
        noise = random.normal(size=(BATCH, 10))
        generator.predict(noise, verbose=0)
        adversarial.train_on_batch(noise, body(labelled))

    def work() -> int:
        for _ in range(20):
            step()
        return 20

    step()
    return work


def four_models(features: int, steps: int) -> tuple[list[Model], float]:
    """The four fold models of a job, and the seconds they took: tracing, validation and thresholds included."""
    import fitting
    import hyperparameters
    from scaling import Scaler
    from training_data import TrainingData

    rows, labels, pool = data(features)
    folds = [np.arange(fold, len(rows), 4) for fold in range(4)]
    names = ["dormant", "normal", "heavy", "risky"]
    columns = [f"f{number}" for number in range(features)]
    others = [np.arange(fold, POOL, 4) for fold in range(4)]
    scaler = Scaler(tuple(columns), np.zeros(features), np.ones(features)).as_json()
    table = TrainingData(columns, names, rows, labels, pool, folds, others, scaler)
    arguments = hyperparameters.parser(None).parse_args(["--steps", str(steps)])
    job = fitting.Job(table, "", 500, False, False, None, lambda *_: None, lambda: False)
    began, loops = time.perf_counter(), fitting.Loops()
    specs = hyperparameters.specifications(arguments, 4, 4, False)
    models = [fitting.fit(spec, job, loops, {}) for spec in specs]
    return models, time.perf_counter() - began


def a_million_rows(models: Sequence[Model], features: int) -> float:
    """Seconds."""
    million = np.resize(data(features)[2], (1_000_000, features))
    began = time.perf_counter()
    for model in models:
        model.scores(million)
    return time.perf_counter() - began


def measure(features: int, rounds: int, steps: int, users: int) -> list[Line]:
    """Everything that is one number; the answers are told as they are measured."""
    import tensor

    tensor.be_deterministic()
    spent = processes.preprocess(users)
    models, seconds = four_models(features, steps)
    processes.tell(processes.answers(models, data(features)[2]))
    ours = per_second(in_graph(features, jit=False), rounds)
    compiled = per_second(in_graph(features, jit=True), rounds)
    peer = per_second(originals_way(features), rounds)
    return [
        Line("training, steps a second", ours, least=500),
        Line("  compiled with XLA", compiled),
        Line("  the original's way", peer),
        Line("  times the original's way", ours / peer, least=100),
        Line(f"four models of {steps:,} steps, s", seconds, most=25 if steps == STEPS else math.inf),
        Line(f"preprocessing {users:,} users, s", spent, most=60 if users == USERS else math.inf),
        Line("  users a second", users / spent),
        Line("a million rows scored by one model, s", a_million_rows(models[:1], features)),
        Line("  by four, s", a_million_rows(models, features)),
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--users", type=int, default=USERS)
    arguments = parser.parse_args(argv)
    lines = measure(**vars(arguments))
    print(f"{f'on {len(os.sched_getaffinity(0))} cores':43}{'':9}{'target':>15}", *lines, sep="\n")
    judged = [line.met for line in lines if line.has_target]
    print(f"targets: {sum(judged)} of {len(judged)} met")
    return 0 if all(judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
