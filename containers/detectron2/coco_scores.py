"""COCO's average precision and recall of detections against a data set's truth, from 0 to 1.

pycocotools is the measure (https://cocodataset.org/#detection-eval): boxes, at most 100 of a class per image, IoU
from 0.50 to 0.95, sizes in pixels of the image as it is. What is undefined, because there is no truth of a class or
size, is None.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dataset import Box, Dataset
    from detector import Detections

Array = np.ndarray[Any, Any]

_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # pycocotools' areas: all, below 32 x 32, up to 96 x 96, above
_IOU50, _IOU75 = 0, 5  # places of these thresholds
_MOST = 2  # place of "at most 100 detections"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Precision over recall at IoU 0.50 at 101 recalls, up to the highest that is reached."""

    recall: Array
    precision: Array
    score: Array  # the lowest score that has to be taken for that recall


@dataclass(frozen=True, kw_only=True)
class Score:
    """Of one class, or means over the classes that have truth."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    recall: float | None  # COCO's AR: the highest recall, as a mean over IoUs

    def as_json(self) -> dict[str, float | None]:
        """By COCO's names."""
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR")
        return dict(zip(names, vars(self).values(), strict=True))


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of a data set: of all classes together, and of each, in the order of the data set's classes."""

    overall: Score
    per_class: tuple[Score, ...]
    curves: tuple[Curve, ...]  # of each class; empty where it has no truth
    mean_curve: Curve  # of the classes that have truth; has no scores


def average_precision(dataset: Dataset, detections: Sequence[Detections]) -> float:
    """COCO AP at IoU 0.50 to 0.95; NaN where there is no truth at all. Raises ValueError as ``measure`` does."""
    found = measure(dataset, detections).overall.ap
    return float("nan") if found is None else found


def measure(dataset: Dataset, detections: Sequence[Detections]) -> Scores:
    """Scores of detections, one element per image of the data set and in its order.

    Raises ValueError when there are more or fewer elements than images, or a label that is no class.
    """
    if len(detections) != len(dataset.images):
        raise ValueError(f"detections of {len(detections)} images for a data set of {len(dataset.images)}")
    precision, recall, score = _accumulated(dataset, detections)
    classes = range(len(dataset.classes))
    return Scores(
        overall=_score(precision, recall, slice(None)),
        per_class=tuple(_score(precision, recall, each) for each in classes),
        curves=tuple(_curve(precision[..., [each], _ALL, _MOST], score[_IOU50, :, each, _ALL, _MOST])
                     for each in classes),
        mean_curve=_curve(precision[..., _ALL, _MOST], None),
    )  # fmt: skip


def _accumulated(dataset: Dataset, detections: Sequence[Detections]) -> tuple[Array, Array, Array]:
    """pycocotools' precision and scores [IoU, recall, class, area, limit], recall [IoU, class, area, limit].

    Class by class, which is the same to COCO, and takes the memory of one class.
    """
    truth: list[list[dict[str, Any]]] = [[] for _ in dataset.classes]
    places: list[list[int]] = [[] for _ in dataset.classes]  # of the images that have detections of the class
    for place, (image, each) in enumerate(zip(dataset.images, detections, strict=True)):
        labels = np.unique(each.labels).tolist()
        if labels and not 0 <= labels[0] <= labels[-1] < len(dataset.classes):
            raise ValueError(f"labels {labels[0]} to {labels[-1]}, but {len(dataset.classes)} classes")
        for label in labels:
            places[label].append(place)
        for box in image.boxes:
            truth[box.label].append(_truth(image.id, box))
    classes = [
        _of_a_class(
            truth[label],
            [
                row
                for place in places[label]
                for row in _found(dataset.images[place].id, detections[place], label)
            ],
        )
        for label in range(len(dataset.classes))
    ]
    if not classes:
        return np.zeros((10, 101, 0, 4, 3)), np.zeros((10, 0, 4, 3)), np.zeros((10, 101, 0, 4, 3))
    precision, recall, score = zip(*classes, strict=True)
    return np.concatenate(precision, axis=2), np.concatenate(recall, axis=1), np.concatenate(score, axis=2)


def _of_a_class(truth: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[Array, Array, Array]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    numbers = sorted({row["image_id"] for row in (*truth, *found)}) or [1]
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of every stage
        sides = []
        for rows in (truth, found):
            coco = COCO()
            coco.dataset = {
                "images": [{"id": number} for number in numbers],
                "categories": [{"id": 1}],
                # its matches are ids, and 0 is no match
                "annotations": [
                    {"id": number, "category_id": 1, **row} for number, row in enumerate(rows, 1)
                ],
            }
            coco.createIndex()
            sides.append(coco)
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return tuple(evaluation.eval[name] for name in ("precision", "recall", "scores"))


def _truth(image: int, box: Box) -> dict[str, Any]:
    corners = [box.x, box.y, box.width, box.height]
    return {"image_id": image, "bbox": corners, "area": box.width * box.height, "iscrowd": int(box.crowd)}


def _found(image: int, detections: Detections, label: int) -> Iterator[dict[str, Any]]:
    chosen = np.asarray(detections.labels) == label
    boxes = np.asarray(detections.boxes, np.float64)[chosen]
    scores = np.asarray(detections.scores)[chosen].tolist()
    for (left, top, right, bottom), score in zip(boxes.tolist(), scores, strict=True):
        width, height = right - left, bottom - top
        yield {
            "image_id": image, "score": score, "bbox": [left, top, width, height], "area": width * height,
            "iscrowd": 0,
        }  # fmt: skip


def _score(precision: Array, recall: Array, which: int | slice) -> Score:
    def mean(area: int, iou: int | slice = slice(None)) -> float | None:
        return _mean(precision[iou, :, which, area, _MOST])

    return Score(
        ap=mean(_ALL), ap50=mean(_ALL, _IOU50), ap75=mean(_ALL, _IOU75),
        small=mean(_SMALL), medium=mean(_MEDIUM), large=mean(_LARGE),
        recall=_mean(recall[:, which, _ALL, _MOST]),
    )  # fmt: skip


def _mean(values: Array) -> float | None:
    """Without -1, which is pycocotools' undefined."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None


def _curve(precision: Array, score: Array | None) -> Curve:
    """``precision`` is [IoU, recall, class]."""
    at50 = precision[_IOU50]
    at50 = at50[:, (at50 > -1).all(axis=0)]
    mean = at50.mean(axis=1) if at50.shape[1] else np.zeros(0)
    reached = int((mean > 0).sum())  # precision is 0 beyond the highest recall, and only there
    lowest = np.zeros(0) if score is None else score[:reached]
    return Curve(recall=np.linspace(0, 1, 101)[:reached], precision=mean[:reached], score=lowest)
