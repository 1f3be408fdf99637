"""What the executor adds to a step: a no-op job through the venv launcher against running the bare script.

    .venv/bin/python benchmarks/executor_overhead.py [--steps 20] [--rounds 5]

Peer: the same script started by subprocess, with the same interpreter, in the same run. A round runs a
pipeline of STEPS no-op processing steps, one after the other, then the bare script as many times. The
added time per step contains everything: resolving, planning, cache key, staging, namespaces, collecting,
recording. Targets: under 50 ms added per step, and under 0.2 s for `trainyard families` and `--help`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT)]

from trainyard.execution.environments import Environments  # noqa: E402
from trainyard.execution.executor import Executor  # noqa: E402
from trainyard.execution.launchers.venv import VenvLauncher  # noqa: E402
from trainyard.execution.s3 import parse_uri  # noqa: E402
from trainyard.execution.store import Store  # noqa: E402
from trainyard.execution.targets import Target, Targets  # noqa: E402

SCRIPT = "import pathlib; pathlib.Path('/opt/ml/processing/made/x').write_text('x')\n"
CODE = "s3://bench/code/"


def step(number: int) -> dict[str, Any]:
    folder = "/opt/ml/processing"
    code = {"S3Uri": CODE, "LocalPath": f"{folder}/code"}
    made = {"S3Uri": f"s3://bench/made/{number}", "LocalPath": f"{folder}/made"}
    return {
        "Name": f"Step{number}",
        "Type": "Processing",
        "DependsOn": [f"Step{number - 1}"] if number else [],
        "CacheConfig": {"Enabled": True},
        "Arguments": {
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["python3", f"{folder}/code/main.py"],
            },
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
            "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "made", "S3Output": made}]},
        },
    }


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as folder:
        venv = Path(folder) / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        store = Store(Path(folder) / "store")
        store.objects.put_bytes(SCRIPT.encode(), parse_uri(f"{CODE}main.py"))
        targets = Targets({"image": Target("venv", str(venv))}, {}, ROOT)
        executor = Executor(store, VenvLauncher(Environments(store.home / "venvs"), {}), targets)
        definition = {"Version": "2020-12-01", "Steps": [step(number) for number in range(args.steps)]}
        bare = Path(folder) / "main.py"
        bare.write_text(SCRIPT.replace("/opt/ml/processing/made", folder))

        def run(use_cache: bool) -> None:
            finished = executor.start(definition, "bench", {}, cache="content" if use_cache else "off")
            assert finished.status == "Succeeded", finished.reason

        def run_bare() -> None:
            for _ in range(args.steps):
                subprocess.run([str(venv / "bin" / "python3"), str(bare)], check=True)

        rounds = [
            (seconds(lambda: run(False)), seconds(run_bare), seconds(lambda: run(True)))
            for _ in range(args.rounds)
        ]
    ours, theirs, cached = (
        statistics.median(column) / args.steps * 1000 for column in zip(*rounds, strict=True)
    )
    print(f"{args.steps} steps, median of {args.rounds} rounds, ms per step")
    print(f"  bare script             {theirs:7.1f}")
    print(
        f"  executor, venv launcher {ours:7.1f}   {ours / theirs:.1f} x, {ours - theirs:.1f} added (target < 50)"
    )
    print(f"  executor, from cache    {cached:7.1f}   {cached / theirs:.1f} x")
    for command in (["--help"], ["families"]):
        times = [
            seconds(
                lambda command=command: subprocess.run(
                    [str(ROOT / "trainyard"), *command], capture_output=True
                )
            )
            for _ in range(7)
        ]
        print(
            f"  ./trainyard {' '.join(command):11} {statistics.median(times) * 1000:7.1f} ms (target < 200)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
