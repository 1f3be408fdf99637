"""How long `trainyard local up` takes, and how much memory the idle endpoint has, with all its processes.

    .venv/bin/python benchmarks/local_endpoint.py [--rounds 3]

Peer: moto_server, which answers the same calls and runs nothing, in the same run. Memory is the proportional
set size, after the first request of each kind. Targets: up in under 3 s, under 300 MB idle.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
TRAINYARD = [sys.executable, "-I", "-m", "trainyard.cli", "local"]


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def megabytes(pid: int) -> float:
    total = 0
    for each in tree(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])
    return total / 1024


def ask(environment: dict[str, str]) -> None:
    for command in (["s3", "ls"], ["sagemaker", "list-training-jobs"], ["sts", "get-caller-identity"]):
        subprocess.run(
            [sys.executable, "-m", "awscli", *command], env=environment, capture_output=True, check=False
        )


def ours() -> tuple[float, float]:
    """Seconds and megabytes."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "TRAINYARD_HOME": home}
        started = time.perf_counter()
        subprocess.run([*TRAINYARD, "up", "--port", "0"], env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        try:
            names = subprocess.check_output([*TRAINYARD, "env", "--json"], env=environment)
            ask({**environment, **json.loads(names)})
            time.sleep(3)  # what starts in the background is there then
            status = json.loads(subprocess.check_output([*TRAINYARD, "status", "--json"], env=environment))
            return seconds, megabytes(status["pid"])
        finally:
            subprocess.run([*TRAINYARD, "down"], env=environment, check=True, capture_output=True)


def moto() -> tuple[float, float]:
    port = 45990
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    command = [str(Path(sys.executable).parent / "moto_server"), "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                try:
                    urlopen(f"{url}/moto-api/").close()
                    break
                except OSError:
                    time.sleep(0.02)
            seconds = time.perf_counter() - started
            keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
            ask({**os.environ, **keys, "AWS_ENDPOINT_URL": url})
            return seconds, megabytes(server.pid)
        finally:
            server.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    measured = {name: [run() for _ in range(rounds)] for name, run in (("trainyard", ours), ("moto", moto))}
    medians = {
        name: [statistics.median(each[part] for each in values) for part in (0, 1)]
        for name, values in measured.items()
    }
    for name, (seconds, memory) in medians.items():
        print(f"{name:10} up after {seconds:5.2f} s, idle with {memory:6.1f} MB")
    seconds, memory = (ours / peer for ours, peer in zip(medians["trainyard"], medians["moto"], strict=True))
    print(f"{'ratio':10}          {seconds:5.2f}             {memory:6.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
