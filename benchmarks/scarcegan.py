"""How fast ScarceGAN trains and answers, with the original's style of loop beside it.

    PYTHON benchmarks/scarcegan.py [--features 50] [--rounds 3]

PYTHON has the family's packages. Peer, in the same run and on the same data: the original's way of training, which is
four Keras models, four train_on_batch calls and two generator.predict calls per step, batches drawn on the host by
numpy; without its entropy diagnostic, which took most of its time. Targets on 2 cores: at least 500 steps a second and
100 times the peer at batch 32; four models of 5,000 steps in under 25 s, tracing included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "containers" / "scarcegan")]

import numpy as np  # noqa: E402

BATCH, CLASSES, SIZES, POOL = 32, 4, (211, 200, 180, 100), 20_000


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


def four_models(features: int, steps: int) -> float:
    """Seconds for the four fold models of a job, tracing, validation and thresholds included."""
    import fitting
    import hyperparameters
    from training_data import TrainingData

    rows, labels, pool = data(features)
    folds = [np.arange(fold, len(rows), 4) for fold in range(4)]
    names = ["dormant", "normal", "heavy", "risky"]
    columns = [f"f{number}" for number in range(features)]
    others = [np.arange(fold, POOL, 4) for fold in range(4)]
    table = TrainingData(columns, names, rows, labels, pool, folds, others, {})
    arguments = hyperparameters.parser(None).parse_args(["--steps", str(steps)])
    job = fitting.Job(table, "", 500, False, False, None, lambda *_: None, lambda: False)
    began, loops = time.perf_counter(), fitting.Loops()
    models = [
        fitting.fit(spec, job, loops, {}) for spec in hyperparameters.specifications(arguments, 4, 4, False)
    ]
    seconds = time.perf_counter() - began
    million = np.resize(pool, (1_000_000, features))
    began = time.perf_counter()
    models[0].scores(million)
    print(f"a million rows are scored by one model in {time.perf_counter() - began:.2f} s")
    return seconds


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5000)
    arguments = parser.parse_args(argv)
    import tensor

    tensor.be_deterministic()
    seconds = four_models(arguments.features, arguments.steps)
    ours = per_second(in_graph(arguments.features, jit=False), arguments.rounds)
    compiled = per_second(in_graph(arguments.features, jit=True), arguments.rounds)
    peer = per_second(originals_way(arguments.features), arguments.rounds)
    print(f"four models of {arguments.steps:,} steps: {seconds:.1f} s")
    print(
        f"steps a second: {ours:.0f} in the graph, {compiled:.0f} compiled with XLA, {peer:.1f} the original's way"
    )
    print(f"{ours / peer:.0f} times as fast as the original's way")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
