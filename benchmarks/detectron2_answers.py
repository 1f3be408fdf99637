"""How fast a detector answers: the lean way beside Detectron2's DefaultPredictor, and over HTTP.

benchmarks/detectron2.py runs this and says what the targets are.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "containers" / "detectron2"
SERVERS = ("pooled", "multi-model-server")
WARM_UP = 10  # requests of each client that are not counted
BATCH = 8

Answer = Callable[[bytes], str]


class Latency(NamedTuple):
    """Milliseconds from an image's bytes to JSON, medians, ours and Detectron2's; and how far they are apart."""

    ours: float
    reference: float
    pixels: float  # the greatest difference of boxes
    scores: float


class Load(NamedTuple):
    """What so many clients, each with one request at a time, see of a server."""

    per_second: float
    p50: float  # milliseconds
    p99: float


def ours(model: Path, threads: int) -> Answer:
    """The family's handler, as the server calls it."""
    import detector

    from trainyard.in_image.server.handler import Handler, import_handler

    handler = Handler(import_handler(FAMILY / "inference.py"), "inference.py")
    loaded = detector.load(model, threads)
    return lambda content: handler.answer(loaded, content, "image/png", "")[0].decode()


def reference(model: Path, threads: int) -> Answer:
    """As an endpoint of Detectron2's own parts would do it: its predictor, and its way to COCO's JSON."""
    import model_files
    import torch
    import torch_runtime
    from detectron2.data.detection_utils import convert_PIL_to_numpy
    from detectron2.evaluation.coco_evaluation import instances_to_coco_json
    from PIL import Image

    torch.set_num_threads(threads)
    predictor = torch_runtime.Reference(model, model_files.load(model))._predictor

    def answer(content: bytes) -> str:
        image = convert_PIL_to_numpy(Image.open(io.BytesIO(content)), "BGR")
        return json.dumps(instances_to_coco_json(predictor(image)["instances"], 0))

    return answer


def latency(model: Path, images: Sequence[bytes], threads: int, rounds: int) -> Latency:
    """Image by image, ours and the reference in turn."""
    ways = ours(model, threads), reference(model, threads)
    for way in ways:
        for content in images[:5]:
            way(content)
    spent: tuple[list[float], list[float]] = ([], [])
    pixels = scores = 0.0
    for number in range(rounds):
        for content in images:
            answers = []
            for way, times in zip(ways, spent, strict=True):
                began = time.perf_counter()
                answers.append(way(content))
                times.append(1000 * (time.perf_counter() - began))
            if number == 0:
                apart = _apart(*map(json.loads, answers))
                pixels, scores = max(pixels, apart[0]), max(scores, apart[1])
    return Latency(statistics.median(spent[0]), statistics.median(spent[1]), pixels, scores)


def _apart(answer: dict[str, Any], expected: list[dict[str, Any]]) -> tuple[float, float]:
    """The greatest differences of boxes and of scores; infinite where other objects were found."""
    found = answer["predictions"][0]["detections"]
    if [one["category_id"] - 1 for one in found] != [one["category_id"] for one in expected]:
        return float("inf"), float("inf")
    boxes = np.array([one["bbox"] for one in found]) - np.array([one["bbox"] for one in expected])
    scores = np.array([one["score"] for one in found]) - np.array([one["score"] for one in expected])
    return float(np.abs(boxes).max(initial=0)), float(np.abs(scores).max(initial=0))


def batches(model: Path, images: Sequence[bytes], rounds: int) -> tuple[float, float]:
    """Milliseconds per image, one image per request and ``BATCH`` per request, on all CPUs."""
    import detector
    from decoding import decode

    loaded = detector.load(model)
    pixels = [decode(content) for content in images]
    spent: dict[int, list[float]] = {1: [], BATCH: []}
    for _ in range(rounds):
        for size, times in spent.items():
            began = time.perf_counter()
            for at in range(0, len(pixels), size):
                loaded.detect(pixels[at : at + size])
            times.append(1000 * (time.perf_counter() - began) / len(pixels))
    return statistics.median(spent[1]), statistics.median(spent[BATCH])


def average_precision(
    model: Path, annotations: Path, images: Path
) -> tuple[tuple[float, float], tuple[float, float]]:
    """COCO's AP and AP50 of 100 detections, 0 to 100: ours and the reference's."""
    import detector
    from decoding import decode
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = []
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        ids = sorted(truth.getCatIds())
        for way in (detector.load(model), detector.reference(model)):
            results = []
            for one in truth.loadImgs(truth.getImgIds()):
                [answer] = way.detect([decode((images / one["file_name"]).read_bytes())])
                boxes = np.concatenate(
                    [answer.boxes[:, :2], answer.boxes[:, 2:] - answer.boxes[:, :2]], axis=1
                )
                results += [
                    {"image_id": one["id"], "category_id": ids[label], "bbox": box, "score": score}
                    for box, label, score in zip(
                        boxes.tolist(), answer.labels.tolist(), answer.scores.tolist(), strict=True
                    )
                ]
            judge = COCOeval(truth, truth.loadRes(results), "bbox")
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
            found.append((100 * float(judge.stats[0]), 100 * float(judge.stats[1])))
    return found[0], found[1]


def load(port: int, images: Sequence[bytes], clients: int, requests: int) -> Load:
    """So many clients with connections that stay, each with its share of the requests."""
    spent: list[float] = []
    ready = threading.Barrier(clients + 1)

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        own = []
        for turn in range(WARM_UP + requests // clients):
            if turn == WARM_UP:
                ready.wait()
            began = time.perf_counter()
            content = images[(number + turn) % len(images)]
            connection.request("POST", "/invocations", content, {"Content-Type": "image/png"})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise SystemExit(f"{response.status} {body.decode()}")
            if turn >= WARM_UP:
                own.append(1000 * (time.perf_counter() - began))
        spent.extend(own)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    middle, late = np.quantile(spent, (0.5, 0.99))
    return Load(len(spent) / seconds, float(middle), float(late))


@contextmanager
def server(model: Path, kind: str) -> Iterator[int]:
    """The port of ``serve`` with this model, on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "model").symlink_to(model.resolve())
        (base / "code").symlink_to(FAMILY)
        paths = os.pathsep.join(filter(None, [str(ROOT / "shared"), os.environ.get("PYTHONPATH", "")]))
        variables = {
            **os.environ, "PYTHONPATH": paths, "SAGEMAKER_BASE_DIR": folder, "TRAINYARD_SERVER": kind,
            "SAGEMAKER_BIND_ADDRESS": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": "0",
        }  # fmt: skip
        with (base / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "trainyard.in_image.serve"], env=variables, stdout=log, stderr=log
            )
        try:
            yield _port(process, base / "log")
        finally:
            process.terminate()
            process.wait(30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while not (found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))):
        if process.poll() is not None:
            raise SystemExit(f"the server has ended: {log.read_text(errors='replace')}")
        time.sleep(0.05)
    return int(found[1])
