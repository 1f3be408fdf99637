"""Loading and answering over HTTP, and the memory of 1,000 models; or the same of multi-model-server with 12.

    PYTHON benchmarks/prophet_serving.py [--models 1000] [--seconds 5] [--rounds 3] [--stock]

PYTHON has the family's packages; with --stock those of requirements/bench.txt, which has multi-model-server, and Java
on PATH: Prophet's own JSON behind the usual handler (prophet_stock_handler.py). Memory is the proportional set size of
all processes (/proc/PID/smaps_rollup).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1] / part) for part in ("benchmarks", "shared", "containers/prophet")
]

import numpy as np  # noqa: E402
from prophet_series import grid, readings  # noqa: E402
from prophet_server import FAMILY, Connection, Server, invoke, load, pace, serving  # noqa: E402

CONNECTIONS, PROCESSES, STOCK_MODELS = 8, 2, 12
STOCK = Path(__file__).with_name("prophet_stock_handler.py")


def small_models(base: Path, count: int) -> dict[str, Path]:
    """By name; each under /opt/ml/models as SageMaker lays it out."""
    import engine

    ds = grid()
    made = engine.fit_many(ds, np.column_stack([readings(one) for one in range(count)]), engine.Options())
    found = {}
    for number, model in enumerate(made):
        made_from = engine.Provenance(f"customer_{number}", "0" * 32, engine.identity(), {}, 1.0, 2.0)
        content = engine.save(dataclasses.replace(model, provenance=made_from))
        found[f"customer_{number}"] = _write(base, f"customer_{number}", content)
    return found


def stock_models(base: Path, count: int) -> dict[str, Path]:
    import pandas as pd
    from prophet import Prophet
    from prophet.serialize import model_to_json

    logging.disable(logging.CRITICAL)
    one = model_to_json(Prophet().fit(pd.DataFrame({"ds": grid(), "y": readings(0)}))).encode()
    return {f"customer_{number}": _write(base, f"customer_{number}", one) for number in range(count)}


def _write(base: Path, name: str, content: bytes) -> Path:
    folder = base / "models" / name / "model"
    folder.mkdir(parents=True)
    (folder / "model.json").write_bytes(content)
    return folder


def measure(models: int, seconds: float, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        names = list(small_models(base, models))
        with serving(base, FAMILY / "inference.py", TRAINYARD_PROCESSES=str(PROCESSES)) as server:
            return {
                f"serve_{name}": value for name, value in _numbers(server, names, seconds, rounds).items()
            }


def measure_stock(models: int, seconds: float, rounds: int) -> dict[str, float]:
    """``memory`` is that of 1,000 models: what a server without any has, and 1,000 times what each adds."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        names = list(stock_models(base, models))
        variables = {"TRAINYARD_SERVER": "multi-model-server", "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
        with serving(base, STOCK, **variables) as server:
            empty = server.memory()
            found = _numbers(server, names, seconds, rounds)
            found["memory"] = empty + 1000 * (found["memory"] - empty) / models
        return {f"mms_{name}": value for name, value in found.items()}


def _numbers(server: Server, names: list[str], seconds: float, rounds: int) -> dict[str, float]:
    connection = Connection(server.address)
    loads, firsts = [], []
    for name in names:
        began = time.perf_counter()
        status, answer = load(connection, name)
        loads.append(1000 * (time.perf_counter() - began))
        if status != 200:
            raise SystemExit(f"loading {name}: {status} {answer.decode()}\n{server.log.read_text()[-3000:]}")
        began = time.perf_counter()
        status, answer = connection.ask(invoke(name))
        firsts.append(1000 * (time.perf_counter() - began))
        if status != 200:
            raise SystemExit(f"asking {name}: {status} {answer.decode()}")
    connection.close()
    requests = [invoke(name) for name in names]
    pace(server.address, requests, CONNECTIONS, min(1.0, seconds))
    found = [pace(server.address, requests, CONNECTIONS, seconds) for _ in range(rounds)]
    alone = pace(server.address, requests, 1, seconds)
    statuses = sum((one.statuses for one in found), alone.statuses)
    if set(statuses) != {200}:
        raise SystemExit(f"answers by status: {dict(statuses)}")
    return {
        "load": statistics.median(loads), "first": statistics.median(firsts),
        "rate": statistics.median(one.per_second for one in found),
        "p50": statistics.median(alone.milliseconds), "p99": float(np.quantile(alone.milliseconds, 0.99)),
        "memory": server.memory(), "processes": len(server.pids()),
    }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", action="store_true")
    arguments = parser.parse_args(argv)
    measured = measure_stock if arguments.stock else measure
    models = arguments.models or (STOCK_MODELS if arguments.stock else 1000)
    for name, value in measured(models, arguments.seconds, arguments.rounds).items():
        print(f"{name:18}{value:14,.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
