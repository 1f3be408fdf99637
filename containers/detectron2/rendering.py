"""Answers: JSON in COCO's terms, lines of a Ground Truth manifest, or the image with its boxes drawn."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import drawing
import numpy as np
from decoding import Array
from detector import Detections

from trainyard.in_image.handler_errors import NotAcceptable

JSON, LINES, PICTURE = "application/json", "application/jsonlines", "image/png"
LABEL, JOB = "bounding-box", "labeling-job/detectron2"
_SCORE_DIGITS, _PIXEL_DIGITS = 6, 3


@dataclass(frozen=True)
class Answer:
    """What was found in each image. ``names``: the images' S3 URIs, where they have one."""

    images: Sequence[Array]
    names: Sequence[str | None]
    found: Sequence[Detections]
    classes: Sequence[str]


def render(answer: Answer, accept: str) -> tuple[str | bytes, str]:
    """The body and its content type. Raises NotAcceptable."""
    kinds: dict[str, Callable[[Answer], str | bytes]] = {
        JSON: _as_json,
        LINES: _as_lines,
        PICTURE: _as_picture,
    }
    kind = JSON if accept == "*/*" else accept
    if kind not in kinds:
        raise NotAcceptable(f"no answer as {accept!r}; possible: {', '.join(kinds)}")
    return kinds[kind](answer), kind


def _as_json(answer: Answer) -> str:
    """Per image its size and what was found: boxes are x, y, width, height in pixels, category ids begin at 1."""
    predictions = []
    for place, (image, name, found) in enumerate(_each(answer)):
        boxes = found.boxes.astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        rows = zip(
            boxes.round(_PIXEL_DIGITS).tolist(),
            found.labels.tolist(),
            found.scores.astype(np.float64).round(_SCORE_DIGITS).tolist(),
            strict=True,
        )
        detections = [
            {"bbox": box, "category_id": label + 1, "category": answer.classes[label], "score": score}
            for box, label, score in rows
        ]
        one: dict[str, Any] = {"image": place if name is None else name}
        predictions.append(
            one | {"width": image.shape[1], "height": image.shape[0], "detections": detections}
        )
    return json.dumps({"predictions": predictions})


def _as_lines(answer: Answer) -> str:
    """As Ground Truth leaves them for object detection, so that they can go back to it as labels to adjust.

    Source: AWS SageMaker Developer Guide, "Labeling job output data", bounding box job output.
    """
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    lines = []
    for image, name, found in _each(answer):
        height, width, depth = image.shape
        # whole pixels, as a worker would have drawn them
        boxes = found.boxes.round().astype(np.int64).tolist()
        annotations = [
            {"class_id": label, "left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0}
            for (x0, y0, x1, y1), label in zip(boxes, found.labels.tolist(), strict=True)
        ]
        scores = found.scores.astype(np.float64).round(_SCORE_DIGITS).tolist()
        metadata = {
            "objects": [{"confidence": score} for score in scores],
            "class-map": {str(label): answer.classes[label] for label in sorted(set(found.labels.tolist()))},
            "type": "groundtruth/object-detection",
            "human-annotated": "no",
            "creation-date": created,
            "job-name": JOB,
        }
        size = {"width": width, "height": height, "depth": depth}
        line: dict[str, Any] = {} if name is None else {"source-ref": name}
        line |= {LABEL: {"image_size": [size], "annotations": annotations}, f"{LABEL}-metadata": metadata}
        lines.append(json.dumps(line) + "\n")
    return "".join(lines)


def _as_picture(answer: Answer) -> bytes:
    if len(answer.images) != 1:
        raise NotAcceptable(f"{PICTURE} shows one image; {len(answer.images)} were sent")
    return drawing.draw(answer.images[0], answer.found[0], answer.classes)


def _each(answer: Answer) -> zip[tuple[Array, str | None, Detections]]:
    return zip(answer.images, answer.names, answer.found, strict=True)
