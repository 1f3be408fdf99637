"""COCO's average precision and recall of detections against a data set's truth, from 0 to 1.

pycocotools is the measure (https://cocodataset.org/#detection-eval): boxes, at most 100 detections per image, IoU
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
    from dataset import Dataset
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
    """pycocotools' precision and scores [IoU, recall, class, area, limit], recall [IoU, class, area, limit]."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    categories = [{"id": number, "name": name} for number, name in enumerate(dataset.classes, 1)]
    images = [{"id": image.id, "width": image.width, "height": image.height} for image in dataset.images]
    truth, found = COCO(), COCO()
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of every stage
        for coco, annotations in ((truth, _truth(dataset)), (found, _found(dataset, detections))):
            coco.dataset = {
                "images": images, "categories": categories,
                # its matches are ids, and 0 is no match
                "annotations": [{"id": number, **each} for number, each in enumerate(annotations, 1)],
            }  # fmt: skip
            coco.createIndex()
        evaluation = COCOeval(truth, found, iouType="bbox")
        if not images or not categories:  # which it cannot do
            return _nothing(evaluation.params, len(categories))
        evaluation.evaluate()
        evaluation.accumulate()
    return tuple(evaluation.eval[name] for name in ("precision", "recall", "scores"))


def _truth(dataset: Dataset) -> Iterator[dict[str, Any]]:
    for image in dataset.images:
        for box in image.boxes:
            yield {
                "image_id": image.id, "category_id": box.label + 1, "iscrowd": int(box.crowd),
                "bbox": [box.x, box.y, box.width, box.height], "area": box.width * box.height,
            }  # fmt: skip


def _found(dataset: Dataset, detections: Sequence[Detections]) -> Iterator[dict[str, Any]]:
    for image, each in zip(dataset.images, detections, strict=True):
        labels = np.asarray(each.labels)
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(dataset.classes):
            raise ValueError(f"labels {labels.min()} to {labels.max()}, but {len(dataset.classes)} classes")
        boxes = np.asarray(each.boxes, np.float64).reshape(-1, 4)
        sizes = boxes[:, 2:] - boxes[:, :2]
        for corner, size, score, label in zip(
            boxes[:, :2].tolist(),
            sizes.tolist(),
            np.asarray(each.scores).tolist(),
            labels.tolist(),
            strict=True,
        ):
            yield {
                "image_id": image.id, "category_id": label + 1, "score": score,
                "bbox": [*corner, *size], "area": size[0] * size[1], "iscrowd": 0,
            }  # fmt: skip


def _nothing(params: Any, classes: int) -> tuple[Array, Array, Array]:
    sizes = len(params.iouThrs), len(params.recThrs), classes, len(params.areaRng), len(params.maxDets)
    return np.full(sizes, -1.0), np.full((sizes[0], *sizes[2:]), -1.0), np.full(sizes, -1.0)


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
