"""How well and how fast Detectron2's family learns and answers on blood_cells, beside Detectron2's own predictor.

    PYTHON benchmarks/detectron2.py [--data FOLDER] [--model FOLDER] [--rounds 10] [--requests 400] [--all]

PYTHON has the family's packages and, for the second server, multi-model-server and sagemaker-inference; Java is there.
Without --model, one is trained. Peer, in the same run and on the same images: DefaultPredictor, from an image's bytes
to COCO's JSON. Targets: AP50 at least 90; at least twice as fast as the peer, boxes and scores within 0.001, AP within
0.1. Without a target: requests a second over HTTP. --all measures benchmarks/detectron2_training.py's targets, too.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "containers" / "detectron2")]
if __name__ == "__main__":
    del sys.path[2]  # this folder, in which this file has Detectron2's own name
    sys.path.append(str(ROOT / "benchmarks"))

import detectron2_answers as answers  # noqa: E402

from trainyard.in_image.server.settings import available_cpus  # noqa: E402

ITERATIONS = 300


class Line(NamedTuple):
    """One measured number and, if there is one, its target."""

    what: str
    value: float
    least: float = 0.0
    most: float = math.inf

    @property
    def has_target(self) -> bool:
        return self.least > 0 or self.most < math.inf

    @property
    def met(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        target = f"at least {self.least:g}" if self.least else f"at most {self.most:g}"
        verdict = f"{target:>15}  {'met' if self.met else 'NOT met'}"
        return f"{self.what:52}{self.value:>9.4g}{verdict if self.has_target else ''}"


def speed(model: Path, images: Sequence[bytes], rounds: int) -> list[Line]:
    """From an image's bytes to JSON, on one thread and on all."""
    lines = []
    for threads in sorted({1, available_cpus()}):
        found = answers.latency(model, images, threads, rounds)
        lines += [
            Line(f"an image to JSON, {threads} thread(s), ms", found.ours),
            Line("  DefaultPredictor", found.reference),
            Line("  times as fast", found.reference / found.ours, least=2 if threads == 1 else 0),
            Line("  boxes apart, pixels", found.pixels, most=0.001),
            Line("  scores apart", found.scores, most=0.001),
        ]
    one, several = answers.batches(model, images, rounds)
    return [
        *lines,
        Line("an image of decoded ones, one by one, ms", one),
        Line(f"  {answers.BATCH} of them at once", several),
    ]


def quality(model: Path, data: Path) -> list[Line]:
    ours, peer = answers.average_precision(model, data / "test.json", data / "images")
    return [
        Line("AP of the test images", ours[0]),
        Line("  AP50", ours[1], least=90),
        Line("  DefaultPredictor's AP, apart", abs(ours[0] - peer[0]), most=0.1),
    ]


def endpoints(model: Path, images: Sequence[bytes], requests: int) -> list[Line]:
    """With one client and with four, under each server that can be had."""
    lines = []
    for kind in answers.SERVERS:
        if kind != "pooled" and not (
            importlib.util.find_spec("sagemaker_inference") and shutil.which("java")
        ):
            print(f"{kind}: left out, as its packages or Java are not here")
            continue
        for clients in (1, 4):
            with answers.server(model, kind) as port:
                found = answers.load(port, images, clients, requests)
            lines += [
                Line(f"{kind}, {clients} client(s), requests a second", found.per_second),
                Line("  p50, ms", found.p50),
                Line("  p99, ms", found.p99),
            ]
    return lines


def trained(data: Path, folder: Path) -> Path:
    """A model of the small configuration, by the family's own scripts, on the data's own split."""
    given = folder / "processing" / "input"
    for part in ("train", "test"):
        (given / part).mkdir(parents=True)
        shutil.copy(data / f"{part}.json", given / part)
    shutil.copytree(data / "images", given / "images")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "shared"), "SAGEMAKER_BASE_DIR": str(folder)}
    outputs = folder / "processing"
    for script, *arguments in (
        ["preprocess.py"],
        ["train.py", "--max_iter", str(ITERATIONS), "--training", str(outputs / "train"),
         "--validation", str(outputs / "validation"), "--model-dir", str(folder / "model")],
    ):  # fmt: skip
        command = [sys.executable, str(ROOT / "containers" / "detectron2" / script), *arguments]
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    return folder / "model"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("TRAINYARD_DATA", ROOT.parent / "shared" / "data")) / "blood_cells"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args(argv)
    images = [path.read_bytes() for path in sorted((arguments.data / "images").glob("*.png"))[:40]]
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or trained(arguments.data, Path(folder))
        lines = [
            *quality(model, arguments.data),
            *speed(model, images, arguments.rounds),
            *endpoints(model, images, arguments.requests),
        ]
    print(f"{f'on {available_cpus()} CPUs':52}{'':9}{'target':>15}", *lines, sep="\n")
    judged = [line.met for line in lines if line.has_target]
    print(f"targets: {sum(judged)} of {len(judged)} met", flush=True)
    learned = True
    if arguments.all:
        command = [sys.executable, str(ROOT / "benchmarks" / "detectron2_training.py")]
        learned = subprocess.run(command).returncode == 0
    return 0 if learned and all(judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
