"""How fast the exact engine fits 731 daily rows, arrays in, parameters out; Prophet's or prophet-batch's fit beside it.

    PYTHON benchmarks/prophet_fit.py [--rounds 15]

PYTHON has the family's packages, or those of requirements/bench.txt: prophet-batch is measured where it is installed,
Prophet where it is not. Every round fits other customers.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("benchmarks", "containers/prophet")]

import map_fit  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from options import Options  # noqa: E402
from prophet_series import grid, in_turns, own_grid, readings  # noqa: E402

MANY, BATCHES, SOME = 500, 3, 16


def measure(rounds: int) -> dict[str, float]:
    """Milliseconds per customer."""
    logging.disable(logging.CRITICAL)
    ds = grid()
    everyone = [readings(customer) for customer in range(MANY)]
    grids = [own_grid(customer) for customer in range(MANY)]
    many = np.column_stack(everyone * 2)

    def alone(number: int) -> None:
        for customer in range(SOME * number, SOME * (number + 1)):
            map_fit.fit(ds, everyone[customer % MANY], Options())

    def own(number: int) -> None:
        for customer in range(SOME * number, SOME * (number + 1)):
            map_fit.fit(grids[customer % MANY], everyone[customer % MANY], Options())

    def together(number: int) -> None:  # several, as a job does one after the other
        for batch in range(BATCHES):
            first = (BATCHES * number + batch) % MANY
            map_fit.fit_many(ds, many[:, first : first + MANY], Options())

    works = {"fit_alone": alone, "fit_own": own, "fit_together": together}
    sizes = {"fit_alone": SOME, "fit_own": SOME, "fit_together": BATCHES * MANY}
    if importlib.util.find_spec("prophet_batch"):
        works["fit_peer"] = _peer
        sizes["fit_peer"] = SOME
    else:
        works["fit_prophet"], works["fit_prophet_own"] = _prophet, _prophet_own
    for work in works.values():
        work(0)
    return {name: spent / sizes.get(name, 1) for name, spent in in_turns(works, rounds).items()}


def _prophet(number: int) -> None:
    from prophet import Prophet

    Prophet().fit(pd.DataFrame({"ds": grid(), "y": readings(number)}))


def _prophet_own(number: int) -> None:
    from prophet import Prophet

    Prophet().fit(pd.DataFrame({"ds": own_grid(number), "y": readings(number)}))


def _peer(number: int) -> None:
    from prophet_batch import fit_many

    customers = range(SOME * number, SOME * (number + 1))
    frames = [pd.DataFrame({"unique_id": str(one), "ds": grid(), "y": readings(one)}) for one in customers]
    fit_many(pd.concat(frames, ignore_index=True))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    for name, spent in measure(parser.parse_args(argv).rounds).items():
        print(f"{name:15}{spent:12.4f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
