"""How good the exact engine's fits are on real customers, with Prophet's own beside it, and prophet-batch's.

    PYTHON benchmarks/prophet_quality.py --data FOLDER [--every 1] [--quick] [--only prophet | peer] [--output FILE]

``./trainyard bench prophet`` runs it and reads the numbers. PYTHON has the family's packages for the one, prophet-batch
for the other. FOLDER holds customers_daily_long.parquet. Each customer's last 90 days are held out. How fast all is
(prophet_fit, prophet_predict, prophet_job, prophet_serving) is measured after that.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "containers" / "prophet")]  # python -I has neither
logging.disable(logging.CRITICAL)

import design  # noqa: E402
import map_fit  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import posterior  # noqa: E402
import solver  # noqa: E402
from options import Options  # noqa: E402

HELD_OUT = 90
OPTIONS = Options()
Series = tuple[np.ndarray, np.ndarray]


def customers(folder: Path, every: int) -> dict[str, Series]:
    table = pd.read_parquet(folder / "customers_daily_long.parquet")
    return {
        str(name): (one["ds"].to_numpy().astype("datetime64[ns]"), one["y"].to_numpy(float))
        for name, one in list(table.groupby("customer"))[::every]
    }


def beside_stan(ds: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Both engines on the history: densities, errors on what was held out, seconds."""
    past, known = ds[:-HELD_OUT], y[:-HELD_OUT]
    began = time.perf_counter()
    ours = map_fit.fit(past, known, OPTIONS)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    theirs = _stan(past, known)
    stan_seconds = time.perf_counter() - began
    density = posterior.log_posterior(ours, past, known, OPTIONS)
    start = {"k": ours.k, "m": ours.m, "sigma_obs": ours.sigma, "delta": ours.delta, "beta": ours.beta}
    improved = _stan(past, known, init=start)
    found = {
        "seconds": seconds,
        "stan_seconds": stan_seconds,
        "better": density - posterior.log_posterior(theirs, past, known, OPTIONS),
        "gained": posterior.log_posterior(improved, past, known, OPTIONS) - density,
        "violation": _solution(past, known)[1].violation,
        "other": _from_below(past, known),
    }
    for days in (7, HELD_OUT):
        errors = [
            np.abs(posterior.fitted(one, ds) * one.y_scale - y)[-HELD_OUT:][:days].mean()
            for one in (ours, theirs)
        ]
        found[f"ratio_{days}"] = errors[0] / errors[1]
    return {name: float(value) for name, value in found.items()}


def _stan(ds: np.ndarray, y: np.ndarray, **more: Any) -> Any:
    from prophet import Prophet

    frame = pd.DataFrame({"ds": ds, "y": y})
    return posterior.of_prophet(Prophet().fit(frame, sig_figs=18, **more))


def _solution(ds: np.ndarray, y: np.ndarray) -> tuple[solver.Problem, solver.Solution]:
    problem = map_fit.problem(design.of(ds, OPTIONS), y / np.abs(y).max(), OPTIONS)
    return problem, solver.solve(problem)


def _from_below(ds: np.ndarray, y: np.ndarray) -> float:
    """How far log v ends from ours when the search begins at the least noise that there can be."""
    problem, found = _solution(ds, y)
    rows, hinges = len(y), np.zeros_like(found.hinges)
    theta = np.linalg.lstsq(problem.features.T, problem.y)[0]
    v = 0.0
    for _ in range(200):
        before, residual = v, problem.y - theta @ problem.features
        v = float(solver.best_v(residual @ residual, rows))
        if abs(v - before) < 1e-12 * v:
            break
        theta = np.concatenate(solver.at(problem, v, hinges))
    return abs(np.log(v / found.v))


def beside_peer(everyone: dict[str, Series]) -> dict[str, list[float]]:
    """The forecasts of two exact solvers that share nothing, and of ours when it solves series together."""
    from prophet_batch import fit_many

    ours, together, seconds, together_seconds = {}, {}, [], 0.0
    for name, (ds, y) in everyone.items():
        began = time.perf_counter()
        ours[name] = map_fit.fit(ds[:-HELD_OUT], y[:-HELD_OUT], OPTIONS)
        seconds.append(time.perf_counter() - began)
    grids: dict[bytes, list[str]] = {}
    for name, (ds, _) in everyone.items():
        grids.setdefault(ds.tobytes(), []).append(name)
    for names in grids.values():
        ds, readings = everyone[names[0]][0], np.column_stack([everyone[name][1] for name in names])
        began = time.perf_counter()
        found = map_fit.fit_many(ds[:-HELD_OUT], readings[:-HELD_OUT], OPTIONS)
        together_seconds += time.perf_counter() - began
        together.update(zip(names, found, strict=True))
    frames = [
        pd.DataFrame({"unique_id": name, "ds": ds[:-HELD_OUT], "y": y[:-HELD_OUT]})
        for name, (ds, y) in everyone.items()
    ]
    began = time.perf_counter()
    models = fit_many(pd.concat(frames, ignore_index=True))
    peer_seconds = (time.perf_counter() - began) / len(everyone)
    found = {"difference": [], "together": [], "density": []}
    for name, (ds, y) in everyone.items():
        theirs = posterior.of_prophet(models[name])
        yhat = [posterior.fitted(one, ds) * one.y_scale for one in (ours[name], theirs, together[name])]
        found["difference"].append(float(np.abs(yhat[0] - yhat[1]).max() / np.ptp(y)))
        found["together"].append(float(np.abs(yhat[0] - yhat[2]).max() / np.ptp(y)))
        past = ds[:-HELD_OUT], y[:-HELD_OUT], OPTIONS
        found["density"].append(
            posterior.log_posterior(ours[name], *past) - posterior.log_posterior(theirs, *past)
        )
    found["seconds"] = [float(np.median(seconds))]
    found["together_seconds"] = [together_seconds / len(everyone)]
    found["peer_seconds"] = [peer_seconds]
    return found


def speed(side: str, quick: bool) -> dict[str, Any]:
    """Milliseconds and more, by name; ``lines`` are rows that say themselves what they mean."""
    import prophet_fit
    import prophet_job
    import prophet_predict
    import prophet_serving

    rounds, seconds = (3, 1.0) if quick else (15, 5.0)
    _tell("how fast it fits")
    found: dict[str, Any] = prophet_fit.measure(rounds)
    if side == "peer":
        if shutil.which("java"):
            _tell("multi-model-server")
            found |= prophet_serving.measure_stock(3 if quick else 12, seconds, rounds=3)
        return found
    _tell("forecasts")
    lines = prophet_predict.measure(rounds=3 if quick else 7, models=5 if quick else 20)
    _tell("CSVs to archives")
    spent, found["points"] = prophet_job.measure(100 if quick else 1000, some=3 if quick else 10, rounds=3)
    _tell("the server")
    served = prophet_serving.measure(100 if quick else 1000, seconds, rounds=3)
    rows = [[*line[:-1], None if math.isinf(line.most) else line.most] for line in lines]
    return found | spent | served | {"lines": rows}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="only every so manieth customer")
    parser.add_argument("--quick", action="store_true", help="few customers, short: to try it out")
    parser.add_argument("--only", choices=("prophet", "peer"), default="prophet")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    everyone = customers(arguments.data, 40 if arguments.quick else arguments.every)
    if arguments.only == "peer":
        measured = beside_peer(everyone)
    else:
        rows = []
        for done, series in enumerate(everyone.values(), 1):
            rows.append(beside_stan(*series))
            if done % 25 == 0:
                print(f"{done} of {len(everyone)} customers", file=sys.stderr, flush=True)
        measured = {key: [row[key] for row in rows] for key in rows[0]}
    found = speed(arguments.only, arguments.quick)
    text = json.dumps({"customers": len(everyone), "measured": measured, "speed": found})
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
