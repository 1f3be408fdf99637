"""How many trials Bayesian tuning needs against Random, on functions whose optimum is known.

    .venv/bin/python benchmarks/tuning.py [--seeds 20] [--most 300]

Peer: the Random strategy, in the same run, with the same seeds. Both are the search of a tuning job,
behind the ranges and scalings of the API's request; only the training job is replaced by a function.
Counted are the trials until a value is within 1 % of the optimum; a seed that does not get there counts
as ``--most`` trials, so a ratio with ">" is a lower bound. Target: every ratio of medians is above 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT)]

from trainyard.execution.tuning.ranges import read_ranges  # noqa: E402
from trainyard.execution.tuning.search import Search  # noqa: E402


class Function(NamedTuple):
    ranges: Mapping[str, Any]
    value: Callable[[Mapping[str, str]], float]
    optimum: float
    maximize: bool

    def reached(self, value: float) -> bool:
        """Whether a value is within 1 % of the optimum."""
        return abs(value - self.optimum) <= 0.01 * abs(self.optimum)


def _range(name: str, low: str, high: str, scaling: str = "Linear") -> dict[str, str]:
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def branin(values: Mapping[str, str]) -> float:
    x, y = float(values["x"]), float(values["y"])
    bend = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def bowl(values: Mapping[str, str]) -> float:
    return 1 + float(values["x"]) ** 2 + float(values["y"]) ** 2


def accuracy(values: Mapping[str, str]) -> float:
    """Like a validation accuracy: a ridge in the rate and the momentum, a best depth, a better optimizer."""
    rate = math.log10(float(values["rate"])) + 3
    friction = math.log10(1 - float(values["momentum"])) + 1
    depth = int(values["depth"]) - 6
    extra = {"adam": 0.0, "sgd": 0.3, "rmsprop": 0.15}[values["optimizer"]]
    return 1 - 0.05 * (rate**2 + 0.5 * friction**2 + 0.02 * depth**2 + extra)


FUNCTIONS = {
    "accuracy, 4 scales": Function(
        {
            "ContinuousParameterRanges": [
                _range("rate", "0.000001", "1", "Logarithmic"),
                _range("momentum", "0", "0.999", "ReverseLogarithmic"),
            ],
            "IntegerParameterRanges": [_range("depth", "1", "16")],
            "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["adam", "sgd", "rmsprop"]}],
        },
        accuracy,
        optimum=1.0,
        maximize=True,
    ),
    "bowl": Function(
        {"ContinuousParameterRanges": [_range("x", "-1", "1"), _range("y", "-1", "1")]},
        bowl,
        optimum=1.0,
        maximize=False,
    ),
    "Branin": Function(
        {"ContinuousParameterRanges": [_range("x", "-5", "10"), _range("y", "0", "15")]},
        branin,
        optimum=0.397887,
        maximize=False,
    ),
}


def trials_needed(function: Function, strategy: str, seed: int, most: int) -> int:
    """Trials until a value is within 1 % of the optimum, at most ``most``."""
    ranges = read_ranges("benchmark", function.ranges)
    search = Search(ranges, strategy, maximize=function.maximize, seed=seed)
    for number in range(1, most + 1):
        proposal = search.propose()
        assert proposal is not None
        value = function.value(proposal.values)
        search.learn(proposal, value)
        if function.reached(value):
            return number
    return most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--most", type=int, default=300)
    args = parser.parse_args()
    began, good = time.perf_counter(), True
    print(f"median trials until within 1 % of the optimum, {args.seeds} seeds, at most {args.most} trials")
    print(f"  {'function':20}{'Random':>8}{'Bayesian':>10}{'ratio':>9}   seeds in which Bayesian needs fewer")
    for name, function in FUNCTIONS.items():
        theirs, ours = (
            [trials_needed(function, strategy, seed, args.most) for seed in range(args.seeds)]
            for strategy in ("Random", "Bayesian")
        )
        random, bayesian = statistics.median(theirs), statistics.median(ours)
        fewer = sum(mine < other for mine, other in zip(ours, theirs, strict=True))
        ratio = f"{'>' if random == args.most else ''}{random / bayesian:.1f}x"
        print(f"  {name:20}{random:8.1f}{bayesian:10.1f}{ratio:>9}   {fewer} of {args.seeds}")
        good = good and bayesian < random
    print(
        f"  {time.perf_counter() - began:.0f} s; target: every ratio above 1: {'met' if good else 'NOT met'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
