"""What it costs to train very many customers on ml.c5 instances, on paper: a table of minutes and dollars.

    python3 benchmarks/prophet_cost.py [--customers 10000000] [--milliseconds 0.6]

Needs no packages. --milliseconds is what one process takes from a customer's CSV to its archive, which
benchmarks/prophet_job.py measures. docs/decisions/028 says what follows from it, and where the prices are from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from trainyard.cli.table import table

HOURLY = {"ml.c5.xlarge": (4, 0.204), "ml.c5.4xlarge": (16, 0.816)}  # vCPUs, dollars; us-east-1
COUNTS = (1, 4, 16)
PUT, GET = 0.005 / 1000, 0.0004 / 1000  # dollars a request, S3 Standard, us-east-1
PUTS_PER_SECOND, GETS_PER_SECOND = 3_500, 5_500  # of one prefix, without S3 having split it
OBJECTS_PER_SECOND = 1_000  # small objects that one instance moves: an assumption
OF_A_CORE = 0.6  # what a vCPU does of what a core does, two of which are one core: an assumption
BATCH = 128


class Way(NamedTuple):
    """Objects per customer that the training reads, and writes to its checkpoints' and its models' prefixes."""

    name: str
    read: float
    checkpoints: float
    models: float

    def dollars(self, customers: int) -> float:
        return customers * (self.read * GET + (self.checkpoints + self.models) * PUT)


WAYS = (
    Way("an object each, as it is", 1, 1, 1),
    Way("without checkpoints", 1, 0, 1),
    Way(f"CSVs and checkpoints by {BATCH}", 1 / BATCH, 1 / BATCH, 1),
    Way("models, too (no multi-model endpoint)", 1 / BATCH, 1 / BATCH, 1 / BATCH),
)


def minutes(way: Way, customers: int, milliseconds: float, instances: int, cpus: int) -> tuple[float, float]:
    """Of computing, and of moving objects; checkpoints go while it computes, what is slower counts."""
    computing = customers * milliseconds / 1000 / (instances * cpus * OF_A_CORE)
    put, get = (min(limit, instances * OBJECTS_PER_SECOND) for limit in (PUTS_PER_SECOND, GETS_PER_SECOND))
    waiting = max(customers * way.checkpoints / put - computing, 0.0)
    return computing / 60, (customers * way.read / get + waiting + customers * way.models / put) / 60


def page(customers: int, milliseconds: float) -> str:
    heads = ["objects", "instances", "computing, min", "S3, min", "instances, $", "requests, $", "all, $"]
    rows = []
    for way in WAYS:
        for count in COUNTS:
            for name, (cpus, hourly) in HOURLY.items():
                computing, moving = minutes(way, customers, milliseconds, count, cpus)
                instances = count * hourly * (computing + moving) / 60
                requests = way.dollars(customers)
                rows.append(
                    [way.name, f"{count} x {name}", *(f"{value:,.1f}" for value in (computing, moving)),
                     *(f"{value:,.2f}" for value in (instances, requests, instances + requests))]
                )  # fmt: skip
    said = (
        f"{customers:,} customers, {milliseconds:g} ms each in one process; the job alone, without its start"
    )
    return f"{said}\n\n{table(heads, rows)}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--milliseconds", type=float, default=0.6)
    print(page(**vars(parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
