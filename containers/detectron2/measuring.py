"""The average precision of a model that is being trained; several processes share the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import coco_scores
import numpy as np
import torch
from dataset import Dataset, Image
from detector import Detections
from detectron2.data import transforms
from detectron2.utils import comm
from loading import Reader

MOST_TRAINING_IMAGES = 500  # evaluate.py takes all


def some(dataset: Dataset, most: int) -> Dataset:
    """The data set, or so many of its images at even distances."""
    if len(dataset.images) <= most:
        return dataset
    chosen = np.linspace(0, len(dataset.images) - 1, most).astype(int)
    return dataclasses.replace(dataset, images=tuple(dataset.images[index] for index in chosen))


def average_precision(model: torch.nn.Module, cfg: Any, dataset: Dataset, read: Reader) -> float:
    """COCO's AP from 0 to 1 on the first process; NaN on others, and where there is no truth."""
    rank, processes = comm.get_rank(), comm.get_world_size()
    mine = detect(model, cfg, dataset.images[rank::processes], read)
    shares = comm.gather(mine)
    if rank:
        return float("nan")
    found = [shares[place % processes][place // processes] for place in range(len(dataset.images))]
    return coco_scores.average_precision(dataset, found)


def detect(model: torch.nn.Module, cfg: Any, images: Sequence[Image], read: Reader) -> list[Detections]:
    """What the model finds, one element per image; the model is left as it was."""
    resize = transforms.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
    training = model.training
    model.eval()
    found = []
    try:
        with torch.inference_mode():
            for image in images:
                pixels = read(str(image.file))
                seen = resize.get_transform(pixels).apply_image(pixels)
                tensor = torch.as_tensor(np.ascontiguousarray(seen.transpose(2, 0, 1)))
                asked = {"image": tensor, "height": image.height, "width": image.width}
                instances = model([asked])[0]["instances"].to("cpu")
                found.append(
                    Detections(
                        instances.pred_boxes.tensor.numpy(),
                        instances.scores.numpy(),
                        instances.pred_classes.numpy(),
                    )
                )
    finally:
        model.train(training)
    return found
