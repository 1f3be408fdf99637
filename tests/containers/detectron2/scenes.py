"""Small data sets and detections, written down by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Row = tuple[float, float, float, float, float, int]  # XYXY, score, label


@dataclass(frozen=True)
class Found:
    """As detector.Detections."""

    boxes: Any
    scores: Any
    labels: Any


def found(*rows: Row) -> Found:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Found(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64)
    )


def image(
    dataset: ModuleType, number: int, *boxes: tuple[Any, ...], size: int = 100, file: Path = Path()
) -> Any:
    """Boxes are label, XYWH and, for a crowd, True."""
    return dataset.Image(file, number, size, size, tuple(dataset.Box(*box) for box in boxes))


def scores(module: Callable[[str], ModuleType], classes: int, ap: float | None = 0.5) -> Any:
    """Scores as pycocotools would give them, without it."""
    coco = module("coco_scores")
    one = coco.Score(ap=ap, ap50=ap, ap75=ap, small=None, medium=ap, large=ap, recall=ap)
    recall = np.linspace(0, 1, 101)[:61]
    curve = coco.Curve(recall=recall, precision=np.linspace(1, 0.5, 61), score=np.linspace(1, 0.1, 61))
    return coco.Scores(overall=one, per_class=(one,) * classes, curves=(curve,) * classes, mean_curve=curve)


def split(
    module: Callable[[str], ModuleType],
    pairs: list[tuple[Any, Found]],
    classes: tuple[str, ...] = ("cat", "dog"),
    name: str = "testing",
    threshold: float = 0.5,
    ap: float | None = 0.5,
) -> Any:
    data = module("dataset").Dataset(classes, tuple(each for each, _ in pairs))
    return module("judging").Split(
        name=name,
        dataset=data,
        detections=[each for _, each in pairs],
        scores=scores(module, len(classes), ap),
        threshold=threshold,
        milliseconds=12.5 if pairs else None,
    )
