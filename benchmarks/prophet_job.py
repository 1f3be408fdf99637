"""How long it takes from CSVs to archives, in one process and as SageMaker's job; Prophet's way beside it.

    PYTHON benchmarks/prophet_job.py [--customers 1000] [--stock 10] [--rounds 3] [--points FILE]

PYTHON has the family's packages. Prophet's way, for some of the customers in turn with ours: pandas' read_csv,
Prophet().fit, model_to_json, tarfile's .tar.gz. FILE gets what prophet_plot.py draws.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "containers" / "prophet"
sys.path[:0] = [str(ROOT / "shared"), str(FAMILY), str(Path(__file__).resolve().parent)]

import customers  # noqa: E402
import engine  # noqa: E402
import fitting  # noqa: E402
import pandas as pd  # noqa: E402
from prophet_series import grid, readings  # noqa: E402

LEAST = 10  # customers: of fewer the first imports are most of it


def write(folder: Path, count: int) -> None:
    """The CSVs, as preprocess.py writes them."""
    folder.mkdir(parents=True)
    days = grid().astype("datetime64[D]").astype(str)
    for number in range(count):
        rows = "".join(f"{day},{y}\n" for day, y in zip(days, readings(number).tolist(), strict=True))
        (folder / f"customer_{number}.csv").write_text(f"ds,y\n{rows}")


def ours(data: Path, models: Path, names: list[str]) -> float:
    """Seconds; nothing is kept from an earlier call but what is imported."""
    shutil.rmtree(models, ignore_errors=True)
    models.mkdir()
    job = fitting.Job(data, (models,), engine.Options(), engine.identity())
    began = time.perf_counter()
    for batch in fitting.batches(job, names):
        for outcome in fitting.fit_batch(batch):
            if outcome.status != "fitted":
                raise SystemExit(f"{outcome.customer}: {outcome.reason}")
    return time.perf_counter() - began


def stock(data: Path, models: Path, names: list[str]) -> float:
    """Seconds."""
    from prophet import Prophet
    from prophet.serialize import model_to_json

    shutil.rmtree(models, ignore_errors=True)
    models.mkdir()
    began = time.perf_counter()
    for name in names:
        content = model_to_json(Prophet().fit(pd.read_csv(data / name, parse_dates=["ds"]))).encode()
        with tarfile.open(models / f"{name.removesuffix('.csv')}.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo("model.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return time.perf_counter() - began


def whole_job(base: Path, data: Path, processes: int) -> float:
    """Seconds of train.py from its start to its end, imports included; 0 processes are one per core."""
    shutil.rmtree(base / "model", ignore_errors=True)
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "shared"), "SAGEMAKER_BASE_DIR": str(base)}
    command = [
        sys.executable,
        str(FAMILY / "train.py"),
        "--training",
        str(data),
        "--processes",
        str(processes),
    ]
    began = time.perf_counter()
    ended = subprocess.run(command, env=variables, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return time.perf_counter() - began


def measure(count: int, some: int, rounds: int) -> tuple[dict[str, float], dict[str, list[list[float]]]]:
    """Milliseconds per customer; and the points of a plot: customers, seconds."""
    logging.disable(logging.CRITICAL)
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        base, data = Path(folder), Path(folder, "data")
        write(data, count)
        names = customers.names(data)
        ours(data, base / "ours", names[: fitting.MOST])
        stock(data, base / "stock", names[:1])
        mine: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            mine.append(ours(data, base / "ours", names) / count)
            theirs.append(stock(data, base / "stock", names[:some]) / some)
        seconds = {"job": statistics.median(mine), "job_prophet": statistics.median(theirs)}
        seconds |= {"job_one_process": whole_job(base, data, 1) / count}
        seconds |= {"job_all_cores": whole_job(base, data, 0) / count}
        sizes = [size for size in (LEAST, 100, 1000, 10_000) if size <= count]
        points = {
            "trainyard": [[size, ours(data, base / "ours", names[:size])] for size in sizes],
            "Prophet": [
                [size, stock(data, base / "stock", names[:size])] for size in sizes if 10 * size <= count
            ],
        }
    return {name: 1000 * spent for name, spent in seconds.items()}, points


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--stock", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=Path)
    arguments = parser.parse_args(argv)
    found, points = measure(arguments.customers, arguments.stock, arguments.rounds)
    for name, spent in found.items():
        print(f"{name:18}{spent:12.4f} ms per customer")
    if arguments.points:
        arguments.points.write_text(json.dumps(points))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
