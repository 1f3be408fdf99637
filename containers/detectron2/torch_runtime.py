"""Models run by Detectron2 itself: on GPUs, where there is no graph, and as the reference. Heavy to import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import model_files
import numpy as np
import safetensors.torch
import torch
from detector import Array, Detections, Detector, Found, Run
from detectron2.config import CfgNode, get_cfg
from detectron2.engine import DefaultPredictor
from detectron2.modeling import GeneralizedRCNN, build_model
from detectron2.structures import Instances
from model_files import BadModel, Details

_BATCH = 8  # images of one size that a GPU looks at together


def configuration(folder: Path) -> CfgNode:
    """The model's configuration, for the device that there is. Raises BadModel."""
    path = folder / model_files.CONFIGURATION
    cfg = get_cfg()
    try:
        # by default it would fall back to YAML that makes any Python object
        cfg.merge_from_file(str(path), allow_unsafe=False)
    except Exception as error:  # YAML's errors, yacs' assertions, KeyError
        reason = " ".join(str(error).split())
        raise BadModel(f"{path}: is no configuration of Detectron2 ({reason})") from error
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    return cfg


def load_weights(model: torch.nn.Module, folder: Path) -> None:
    """Raises BadModel where the file and the model do not fit."""
    path = folder / model_files.WEIGHTS
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except Exception as error:  # safetensors has errors of its own
        raise BadModel(f"{path}: does not fit {model_files.CONFIGURATION} ({error})") from error


def runtime(folder: Path, details: Details, threads: int, amp: bool) -> Run:
    """The model in inference mode, channels last; images of one size go through a GPU together."""
    cfg = configuration(folder)
    model = build_model(cfg).eval()
    load_weights(model, folder)
    model.to(memory_format=torch.channels_last)
    on_gpu = cfg.MODEL.DEVICE == "cuda"
    if not on_gpu:
        torch.set_num_threads(threads)
    flipped = details.pixel_format == "BGR"

    def prepared(image: Array) -> dict[str, torch.Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(cfg.MODEL.DEVICE).permute(2, 0, 1)
        return {"image": (pixels.flip(0) if flipped else pixels).float()}

    def run(images: Sequence[Array]) -> list[Found]:
        found: list[Found | None] = [None] * len(images)
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=amp and on_gpu):
            for places in _batches(images, _BATCH if on_gpu else 1):
                batch = [prepared(images[place]) for place in places]
                for place, one in zip(places, instances(model, batch), strict=True):
                    found[place] = arrays(one)
        return [one for one in found if one is not None]

    return run


def instances(model: torch.nn.Module, inputs: list[dict[str, torch.Tensor]]) -> list[Instances]:
    """What the model finds in resized images, in their own pixels; masks and key points are left out."""
    if isinstance(model, GeneralizedRCNN):
        return model.inference(inputs, do_postprocess=False)
    return [found["instances"] for found in model(inputs)]


class Reference(Detector):
    """DefaultPredictor behind the interface of a detector."""

    def __init__(self, folder: Path, details: Details) -> None:
        self.details = details
        self._predictor = DefaultPredictor(configuration(folder))
        load_weights(self._predictor.model, folder)

    def detect(
        self, images: Sequence[Array], threshold: float | None = None, limit: int | None = None
    ) -> list[Detections]:
        found = (arrays(self._predictor(image[:, :, ::-1])["instances"]) for image in images)
        return [Detections(*one).narrowed(threshold, limit) for one in found]


def _batches(images: Sequence[Array], size: int) -> list[list[int]]:
    """The places of images that can go through the model together without padding, which would change results."""
    of_shape: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        of_shape.setdefault(image.shape, []).append(place)
    return [places[at : at + size] for places in of_shape.values() for at in range(0, len(places), size)]


def arrays(found: Instances) -> Found:
    boxes, scores, labels = (
        part.cpu().numpy() for part in (found.pred_boxes.tensor, found.scores, found.pred_classes)
    )
    return boxes.astype(np.float32), scores.astype(np.float32), labels
