"""Images with their boxes as Detectron2's models take them: read, augmented, as tensors.

Augmentations are those of the configuration; each image's are drawn from a seed of its own, in whatever process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.data import DatasetMapper, detection_utils, transforms

_CACHE = 512 << 20  # bytes of decoded images that are kept


class BadImage(Exception):
    """An image that cannot be read; the message names the file."""


class Reader:
    """Decodes images as the configuration wants them; keeps the first ones, up to 512 MiB."""

    def __init__(self, pixel_format: str) -> None:
        self._format, self._kept, self._room = pixel_format, {}, _CACHE  # type: ignore[var-annotated]

    def __call__(self, file: str) -> np.ndarray:
        """uint8 [height, width, 3], not to be changed. Raises BadImage."""
        if file in self._kept:
            return self._kept[file]
        try:
            image = detection_utils.read_image(file, format=self._format)
        except (OSError, ValueError, SyntaxError) as error:
            raise BadImage(f"{file} cannot be read: {error}") from error
        if image.nbytes <= self._room:
            self._room -= image.nbytes
            self._kept[file] = image
        return image


class Examples(torch.utils.data.Dataset):
    """Training images; the keys are pairs of an image's index and the seed of its augmentation."""

    def __init__(self, cfg: Any, records: Sequence[dict[str, Any]], read: Reader) -> None:
        self._records, self._read = records, read
        self._augment = transforms.AugmentationList(DatasetMapper.from_config(cfg, True)["augmentations"])

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        index, seed = key
        random.seed(seed)
        np.random.seed(seed)
        record = self._records[index]
        seen = transforms.AugInput(self._read(record["file_name"]))
        transform = self._augment(seen)
        size = seen.image.shape[:2]
        boxes = [
            detection_utils.transform_instance_annotations(dict(annotation), transform, size)
            for annotation in record["annotations"]
            if not annotation["iscrowd"]
        ]
        instances = detection_utils.annotations_to_instances(boxes, size)
        image = torch.as_tensor(np.ascontiguousarray(seen.image.transpose(2, 0, 1)))
        told = {name: record[name] for name in ("file_name", "image_id", "height", "width")}
        return {**told, "image": image, "instances": detection_utils.filter_empty_instances(instances)}


def batches(
    examples: Examples, keys: Iterator[list[tuple[int, int]]], workers: int
) -> torch.utils.data.DataLoader:
    """The batches of these keys, in their order, with so many processes that read ahead."""
    return torch.utils.data.DataLoader(
        examples,
        batch_sampler=keys,
        num_workers=workers,
        # not as this process was started, which with several per host would import everything anew
        multiprocessing_context="fork" if workers else None,
        collate_fn=list,
        generator=torch.Generator(),  # of its own: else iterating would draw from the trajectory's
    )
