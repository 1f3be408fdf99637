"""What Detectron2's family learns of the example's shapes, and whether it learns the same resumed, and on two hosts.

    PYTHON benchmarks/detectron2_training.py [--iterations 200] [--image_size 128]

PYTHON has the family's packages. The peer of the resumed training and of the one on two hosts is the same training,
uninterrupted on one, in the same run. Targets: AP50 at least 0.5 within five minutes of CPU; the resumed model's
weights equal bit by bit; losses on two hosts, with the same batch, within a thousandth over the first iterations, and
in the mean of the last tenth within a tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "containers" / "detectron2"
if __name__ == "__main__":
    del sys.path[0]  # this folder, in which a file has Detectron2's own name
HOSTS = ("localhost", "other")  # only the leader's name is looked up
COMPARED = (
    3  # iterations; later ones differ more: AdamW makes much of the least, and other proposals are chosen
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--image_size", type=int, default=128)
    arguments = parser.parse_args(argv)
    options = ["--max_iter", str(arguments.iterations), "--image_size", str(arguments.image_size)]
    options += ["--log_period", "1", "--checkpoint_period", "20"]
    with tempfile.TemporaryDirectory() as folder:
        data = shapes(Path(folder))
        whole, before = Path(folder) / "whole", cpu_seconds()
        finish(start(whole, data, options))
        seconds, ap50 = cpu_seconds() - before, measured(whole, data / "test")
        resumed = interrupted(Path(folder) / "resumed", data, options)
        equal = weights(resumed) == weights(whole)
        difference, last = on_two_hosts(Path(folder), data, options, losses(whole))
    found = [
        ("shapes: AP50 on the test images", ap50, ap50 >= 0.5, "at least 0.5"),
        ("shapes: CPU seconds of the training", seconds, seconds <= 300, "at most 300"),
        ("resumed: weights equal bit by bit (1: yes)", float(equal), equal, "1"),
        (
            f"two hosts: largest difference, {COMPARED} losses",
            difference,
            difference <= 1e-3,
            "at most 0.001",
        ),
        ("two hosts: difference of mean losses, last tenth", last, last <= 0.1, "at most 0.1"),
    ]
    for what, value, met, target in found:
        print(f"{what:52}{value:>10.4g}{target:>16}  {'met' if met else 'NOT met'}")
    return 0 if all(met for _, _, met, _ in found) else 1


def shapes(folder: Path) -> Path:
    """The example's data as the family's own preprocessing leaves it."""
    inside = folder / "processing"
    run(folder, FAMILY / "example" / "generate.py", "--output", str(inside / "input"))
    run(folder, FAMILY / "preprocess.py")
    return inside


def start(base: Path, data: Path, options: list[str], host: str = "") -> subprocess.Popen[bytes]:
    (base / "checkpoints").mkdir(parents=True, exist_ok=True)
    if host:
        (base / "input/config").mkdir(parents=True)
        told = {"hosts": HOSTS, "current_host": host, "network_interface_name": "lo"}
        (base / "input/config/resourceconfig.json").write_text(json.dumps(told))
    channels = ["--training", str(data / "train"), "--validation", str(data / "validation")]
    command = [sys.executable, str(FAMILY / "train.py"), *channels, *options]
    with (base / "log").open("ab") as log:
        return subprocess.Popen(command, env=environment(base), stdout=log, stderr=log)


def interrupted(base: Path, data: Path, options: list[str]) -> Path:
    """The base folder of a training that was killed after a checkpoint, stopped in order after another, and ended."""
    for place, end in ((20, signal.SIGKILL), (40, signal.SIGTERM)):
        process = start(base, data, options)
        while not (base / f"checkpoints/iteration_{place:08d}.json").exists():
            assert process.poll() is None, (base / "log").read_text()
            time.sleep(0.01)
        process.send_signal(end)
        process.wait()
    finish(start(base, data, options))
    return base


def on_two_hosts(folder: Path, data: Path, options: list[str], alone: list[float]) -> tuple[float, float]:
    """Relative differences from one host: the largest of the first losses, and of the means of the last tenth."""
    for process in [start(folder / host, data, options, host) for host in HOSTS]:
        finish(process)
    together, tenth = losses(folder / HOSTS[0]), max(len(alone) // 10, 1)
    first = [abs(a - b) / a for a, b in list(zip(alone, together, strict=True))[:COMPARED]]
    one, two = (sum(values[-tenth:]) / tenth for values in (alone, together))
    return max(first), abs(one - two) / one


def finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise SystemExit(f"{process.args} ended with {process.returncode}")


def measured(base: Path, data: Path) -> float:
    """AP50 of the model's files, read as an endpoint reads them."""
    sys.path[:0] = [str(FAMILY), str(ROOT / "shared")]
    import coco_scores
    import dataset
    import detector
    import numpy as np
    from PIL import Image

    test, model = dataset.read(data), detector.load(base / "model")
    found = [model.detect([np.asarray(Image.open(image.file).convert("RGB"))])[0] for image in test.images]
    return coco_scores.measure(test, found).overall.ap50 or 0.0


def losses(base: Path) -> list[float]:
    report = json.loads((base / "output/data/training_report.json").read_text())
    return [entry["total_loss"] for entry in report["history"] if "total_loss" in entry]


def weights(base: Path) -> bytes:
    return (base / "model/model.safetensors").read_bytes()


def environment(base: Path) -> dict[str, str]:
    more = {"PYTHONPATH": str(ROOT / "shared"), "SAGEMAKER_BASE_DIR": str(base), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **more, "TRAINING_JOB_NAME": str(base.parent)}


def run(base: Path, script: Path, *arguments: str) -> None:
    command = [sys.executable, str(script), *arguments]
    subprocess.run(command, env=environment(base), check=True, stdout=sys.stderr)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
