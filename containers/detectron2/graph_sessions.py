"""The model's graph in ONNX Runtime: one session for images of any size, and one for each size that comes often."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from model_files import BadModel

Array = np.ndarray[Any, Any]
Found = tuple[Array, Array, Array]  # boxes, scores and labels, boxes in pixels of the resized image
Size = tuple[int, int]

OFTEN = 8
"""Images of one size, after which it has a session, made in some 0.1 s of CPU for a small model."""
KEPT = 4
"""Sessions of one size at most, each with weights and memory of its own (12 MB for the small model at 256 pixels)."""


class Sessions:
    """A graph that is ready for images, from any number of threads at once.

    With the size known, what depends on nothing else (anchors, shapes) is computed once, when the session is made;
    answers are the same but for rounding.
    """

    def __init__(self, graph: Path, threads: int) -> None:
        """Raises BadModel where the graph cannot be loaded."""
        self._graph, self._threads = graph, threads
        self._any = self._made()
        self._seen: Counter[Size] = Counter()
        self._of_size: OrderedDict[Size, Any] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, image: Array) -> Found:
        """What is in a resized image (H x W x 3 uint8, RGB)."""
        session = self._session((image.shape[0], image.shape[1]))
        boxes, scores, labels = session.run(None, {"image": np.ascontiguousarray(image)})
        return boxes, scores, labels

    def _session(self, size: Size) -> Any:
        with self._lock:
            if size in self._of_size:
                self._of_size.move_to_end(size)
                return self._of_size[size]
            if len(self._seen) > 1000:  # sizes as clients like: no reason to remember all of them
                self._seen.clear()
            self._seen[size] += 1
            if self._seen[size] != OFTEN:  # equal just once: others need not wait for the session either
                return self._any
        made = self._made(size)
        with self._lock:
            del self._seen[size]
            self._of_size[size] = made
            if len(self._of_size) > KEPT:
                self._of_size.popitem(last=False)
        return made

    def _made(self, size: Size | None = None) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        for name, pixels in zip(("height", "width"), size or (), strict=False):
            options.add_free_dimension_override_by_name(name, pixels)
        try:
            return onnxruntime.InferenceSession(str(self._graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no class of their own in common
            raise BadModel(f"{self._graph}: ONNX Runtime cannot load it ({error})") from error
