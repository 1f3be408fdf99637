"""Finding objects in images with a trained model: ONNX Runtime on a CPU, Detectron2 on a GPU, one interface.

Neither torch nor detectron2 is imported where the model has a graph and the machine has no GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graph_sessions
import model_files
import numpy as np
from graph_sessions import Found
from model_files import BadModel, Details
from PIL import Image

from trainyard.in_image.server.settings import available_cpus

__all__ = ["BadModel", "Detections", "Detector", "Found", "load", "reference", "resized"]

Array = np.ndarray[Any, Any]
# resized images (H x W x 3 uint8, RGB) -> what is in each
Run = Callable[[Sequence[Array]], "list[Found]"]


@dataclass(frozen=True)
class Detections:
    """Of one image, best first: float32 [n, 4] of x0, y0, x1, y1 in its pixels, float32 scores, int64 labels."""

    boxes: Array
    scores: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.scores)

    def narrowed(self, threshold: float | None, limit: int | None) -> Detections:
        """Those with this score at least, so many of the best."""
        count = int((self.scores >= threshold).sum()) if threshold is not None else len(self)
        kept = slice(count if limit is None else min(count, limit))
        return Detections(self.boxes[kept], self.scores[kept], self.labels[kept])


class Detector:
    """A model that is ready to look at images, from any number of threads at once."""

    def __init__(self, details: Details, run: Run) -> None:
        self.details = details
        self._run = run

    @property
    def classes(self) -> tuple[str, ...]:
        return self.details.classes

    def detect(
        self, images: Sequence[Array], threshold: float | None = None, limit: int | None = None
    ) -> list[Detections]:
        """What is in each image (H x W x 3 uint8, RGB).

        ``threshold`` (a score) and ``limit`` (a number of detections) can only narrow what the model itself gives.
        """
        seen = [resized(image, self.details.min_size, self.details.max_size) for image in images]
        return [
            _finished(found, image.shape, small.shape).narrowed(threshold, limit)
            for found, image, small in zip(self._run(seen), images, seen, strict=True)
        ]


def load(folder: Path, threads: int = 1, runtime: str = "", amp: bool = False) -> Detector:
    """The detector of a model folder. Raises BadModel.

    ``threads`` compute one image on a CPU; several images of one call are computed at once until all CPUs of the
    process are busy. ``runtime`` (model_files.ONNX or TORCH) is chosen by the model and the machine where it is
    empty. ``amp``: half precision where there is a GPU.
    """
    details = model_files.load(folder)
    chosen = runtime or (model_files.TORCH if _has_gpu() else details.runtime)
    if chosen == model_files.ONNX:
        if details.runtime != model_files.ONNX:
            raise BadModel(f"{folder}: it has no {model_files.GRAPH}")
        return Detector(details, _onnx(folder / model_files.GRAPH, threads))
    import torch_runtime

    return Detector(details, torch_runtime.runtime(folder, details, threads, amp))


def reference(folder: Path) -> Detector:
    """The same model through Detectron2's own DefaultPredictor, resizing included. Raises BadModel."""
    import torch_runtime

    details = model_files.load(folder)
    return torch_runtime.Reference(folder, details)


def resized(image: Array, shortest: int, longest: int) -> Array:
    """As Detectron2's ResizeShortestEdge does it with Pillow; ``shortest`` 0 leaves the image alone."""
    height, width = image.shape[:2]
    if not shortest:
        return image
    scale = float(shortest) / min(height, width)
    new = (shortest, scale * width) if height < width else (scale * height, shortest)
    if max(new) > longest:
        shrink = float(longest) / max(new)
        new = (new[0] * shrink, new[1] * shrink)
    new_height, new_width = (max(1, int(side + 0.5)) for side in new)
    if (new_height, new_width) == (height, width):
        return image
    small = Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BILINEAR)
    return np.asarray(small)


def _onnx(graph: Path, threads: int) -> Run:
    sessions = graph_sessions.Sessions(graph, threads)
    pool = ThreadPoolExecutor(max(1, available_cpus() // threads))

    def run(images: Sequence[Array]) -> list[Found]:
        return list(map(sessions.run, images) if len(images) == 1 else pool.map(sessions.run, images))

    return run


def _has_gpu() -> bool:
    """Whether the machine shows an NVIDIA GPU to this process: asking torch would mean importing it."""
    return any(Path("/dev").glob("nvidia[0-9]*")) and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def _finished(found: Found, shape: Sequence[int], small: Sequence[int]) -> Detections:
    """Boxes in pixels of the image itself, within it and not empty."""
    boxes, scores, labels = found
    height, width = shape[:2]
    scale = np.float32([width / small[1], height / small[0]] * 2)
    boxes = np.clip(boxes * scale, 0, np.float32([width, height] * 2))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes[kept], scores[kept], labels[kept])
