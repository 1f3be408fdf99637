"""Which detections of an image are right, and which truth was missed, at a score threshold and an IoU.

As COCO matches: detections by falling score, each to the free truth of its own class that it overlaps most. What lies
in a crowd of its class is neither right nor false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dataset import Image
    from detector import Detections

Array = np.ndarray[Any, Any]

IOU = 0.5
FALSE, IGNORED = -1, -2  # in Matched.truth_of


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What became of the detections of one image that reach the threshold, and of its truth."""

    truth_of: Array  # of each detection: the place of its truth among the image's boxes, FALSE or IGNORED
    found: Array  # of each box of the image, whether a detection has it; a crowd never
    crowd: Array  # of each box of the image
    mistaken_for: dict[int, int]  # missed box -> false detection that lies there, but is of another class

    @property
    def right(self) -> int:
        return int((self.truth_of >= 0).sum())

    @property
    def false(self) -> int:
        return int((self.truth_of == FALSE).sum())

    @property
    def missed(self) -> int:
        return int((~self.found & ~self.crowd).sum())

    @property
    def f1(self) -> float:
        """1 where there is nothing to find and nothing is found."""
        return f1(self.right, self.false, self.missed)


def f1(right: float, false: float, missed: float) -> float:
    return 2 * right / (2 * right + false + missed) if right + false + missed else 1.0


def match(image: Image, detections: Detections, threshold: float) -> Matched:
    """Detections must come by falling score."""
    kept = np.asarray(detections.scores) >= threshold
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)[kept]
    labels = np.asarray(detections.labels)[kept]
    truth = np.array([[box.x, box.y, box.x + box.width, box.y + box.height] for box in image.boxes])
    truth_labels = np.array([box.label for box in image.boxes], int)
    crowd = np.array([box.crowd for box in image.boxes], bool)
    overlap = overlaps(boxes, truth.reshape(-1, 4), crowd)
    same = labels[:, None] == truth_labels[None, :]
    truth_of = _greedy(overlap, same & ~crowd)
    in_crowd = ((overlap >= IOU) & same & crowd).any(axis=1)
    truth_of[(truth_of == FALSE) & in_crowd] = IGNORED
    found = np.isin(np.arange(len(truth)), truth_of)
    others = _greedy(overlap, ~same & ~crowd & ~found & (truth_of == FALSE)[:, None])
    mistaken_for = {int(box): number for number, box in enumerate(others) if box >= 0}
    return Matched(truth_of=truth_of, found=found, crowd=crowd, mistaken_for=mistaken_for)


def overlaps(boxes: Array, truth: Array, crowd: Array) -> Array:
    """IoU of each box with each truth, both XYXY; with a crowd the share of the box that lies in it, as COCO has it."""
    low = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area, truth_area = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, truth))
    total = np.where(crowd, area[:, None], area[:, None] + truth_area - shared)
    return np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)


def _greedy(overlap: Array, allowed: Array) -> Array:
    """The place of each box's truth, or FALSE: in the order of the boxes, each its best that is free."""
    taken = np.full(len(overlap), FALSE)
    free = np.where(allowed & (overlap >= IOU), overlap, 0.0)
    for number in range(len(overlap) if overlap.shape[1] else 0):
        best = int(free[number].argmax())
        if free[number, best] > 0:
            taken[number] = best
            free[:, best] = 0.0
    return taken
