"""Find objects in the images of a request, as SageMaker's toolkit calls it.

Images come as JPEG, PNG, JSON with base64 or S3 URIs, or npy; answers go out as JSON, as lines of a Ground Truth
manifest or as the image with boxes. README.md shows them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import detector
import image_requests
import rendering
from detector import Detector
from image_requests import Asked
from rendering import Answer

from trainyard.in_image.server.settings import Settings, available_cpus

AMP = "DETECTRON2_AMP"
"""The environment variable that, as "true", lets GPUs compute in half precision."""


def model_fn(model_dir: str) -> Detector:
    """One computation per worker of the server at a time, and all of them together keep the CPUs busy."""
    settings = Settings.from_environment(os.environ)
    workers = settings.workers * settings.processes
    amp = os.environ.get(AMP, "").lower() == "true"
    return detector.load(Path(model_dir), threads=max(1, available_cpus() // workers), amp=amp)


def input_fn(body: str | bytes, content_type: str) -> Asked:
    return image_requests.parse(body, content_type)


def predict_fn(asked: Asked, model: Detector) -> Answer:
    found = model.detect(asked.images, asked.threshold, asked.limit)
    return Answer(asked.images, asked.names, found, model.classes)


def predict_batch_fn(asked: Sequence[Asked], model: Detector) -> list[Answer]:
    """Images of several requests at once, which is what GPUs like."""
    found = iter(model.detect([image for one in asked for image in one.images]))
    return [
        Answer(
            one.images,
            one.names,
            [next(found).narrowed(one.threshold, one.limit) for _ in one.images],
            model.classes,
        )
        for one in asked
    ]


def output_fn(answer: Answer, accept: str) -> tuple[str | bytes, str]:
    return rendering.render(answer, accept)
