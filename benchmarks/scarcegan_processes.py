"""How fast ScarceGAN's preprocessing and its server are, each as the process that SageMaker starts.

benchmarks/scarcegan.py runs this and says what the targets are.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model_files import Model

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "containers" / "scarcegan"
Latencies = dict[str, tuple[float, float]]  # p50 and p99 in milliseconds, by request
WARM_UP = 20  # requests of each kind that are not counted


def environment(base: Path) -> dict[str, str]:
    """That of a job whose /opt/ml is ``base``."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "shared"), "SAGEMAKER_BASE_DIR": str(base)}


def preprocess(users: int) -> float:
    """Seconds from the start of preprocess.py to its end, imports and files included, on the example's telemetry."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        made = ["--output", str(base / "processing" / "input"), "--users", str(users)]
        _run(base, "example/generate.py", *made)
        began = time.perf_counter()
        _run(base, "preprocess.py")
        return time.perf_counter() - began


def answers(models: Sequence[Model], rows: np.ndarray) -> dict[str, Latencies]:
    """By what serves them."""
    import model_archives

    with tempfile.TemporaryDirectory() as folder:
        model_archives.save(Path(folder), models)
        served = {"one model": models[0].name, "mean of four": model_archives.MEAN}
        return {what: latencies(Path(folder, f"{name}.tar.gz"), rows) for what, name in served.items()}


def tell(found: Mapping[str, Latencies]) -> None:
    print(f"{'answers over HTTP, ms':23}" + "".join(f"{what:>14} p50     p99" for what in found))
    for request in next(iter(found.values())):
        numbers = [f"{middle:18.2f}{late:8.2f}" for middle, late in (of[request] for of in found.values())]
        print(f"  {request:21}" + "".join(numbers))


def latencies(archive: Path, rows: np.ndarray) -> Latencies:
    """Of answers to ready features, one request at a time on a connection that stays."""
    with server(archive) as connection:
        return {what: _quantiles(connection, *request) for what, request in requests(rows).items()}


def requests(rows: np.ndarray) -> dict[str, tuple[str, bytes, int]]:
    """What is asked, by name: content type, body, and how often."""
    thousand = np.resize(rows, (1000, rows.shape[1])).astype(np.float64).round(4)
    array = io.BytesIO()
    np.save(array, thousand)
    text = "".join(",".join(map(str, row)) + "\n" for row in thousand.tolist())
    return {
        "1 row as JSON": ("application/json", json.dumps(thousand[:1].tolist()).encode(), 300),
        "1,000 rows as CSV": ("text/csv", text.encode(), 100),
        "1,000 rows as npy": ("application/x-npy", array.getvalue(), 100),
    }


@contextmanager
def server(archive: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection to ``serve`` with this archive as its model, on a free port of loopback."""
    from trainyard.in_image.archives import extract_archive

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        extract_archive(archive, base / "model")
        (base / "code").symlink_to(FAMILY)
        address = {"SAGEMAKER_BIND_ADDRESS": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": "0"}
        variables = {**environment(base), **address, "SAGEMAKER_PROGRAM": "inference.py"}
        with (base / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "trainyard.in_image.serve"], env=variables, stdout=log, stderr=log
            )
        try:
            connection = http.client.HTTPConnection("127.0.0.1", _port(process, base / "log"), timeout=60)
            yield connection
            connection.close()
        finally:
            process.terminate()
            process.wait(30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while not (found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", log.read_text())):
        if process.poll() is not None:
            raise SystemExit(f"the server has ended: {log.read_text()}")
        time.sleep(0.02)
    return int(found[1])


def _quantiles(
    connection: http.client.HTTPConnection, content_type: str, body: bytes, times: int
) -> tuple[float, float]:
    headers, spent = {"Content-Type": content_type, "Accept": content_type}, []
    for _ in range(WARM_UP + times):
        began = time.perf_counter()
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        answer = response.read()
        spent.append(1000 * (time.perf_counter() - began))
        if response.status != 200:
            raise SystemExit(f"{content_type}: {response.status} {answer.decode()}")
    middle, late = np.quantile(spent[WARM_UP:], (0.5, 0.99))
    return float(middle), float(late)


def _run(base: Path, script: str, *arguments: str) -> None:
    command = [sys.executable, str(FAMILY / script), *arguments]
    ended = subprocess.run(command, env=environment(base), capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{script}: {ended.stderr}")
