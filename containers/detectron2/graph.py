"""The whole model as an ONNX graph, non-maximum suppression included, for images of any size. Heavy to import."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import onnx
import onnxruntime
import torch
import torch_runtime
from detector import Found, resized
from detectron2.config import CfgNode
from detectron2.export.torchscript_patch import patch_builtin_len

TOLERANCE = 1e-3
"""Pixels of boxes and units of scores between what the graph and what the model finds."""

_OPSET = 18
_APART = (
    0.05  # of the detections: a rounding error can turn a choice between two boxes that overlap just so much
)
_OUTPUTS = ("boxes", "scores", "labels")
_SHAPES = ((256, 256), (96, 210), (333, 120))  # pixels


def least_score(cfg: CfgNode) -> float:
    """Of the detections that the model gives."""
    is_dense = cfg.MODEL.META_ARCHITECTURE == "RetinaNet"
    return float((cfg.MODEL.RETINANET if is_dense else cfg.MODEL.ROI_HEADS).SCORE_THRESH_TEST)


class _Traced(torch.nn.Module):
    """Pixels and the least score in, tensors out: what a tracer understands."""

    def __init__(self, model: torch.nn.Module, flipped: bool) -> None:
        super().__init__()
        self.model = model
        self.flipped = flipped

    def forward(self, image: torch.Tensor, threshold: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """``image``: H x W x 3 uint8, RGB, resized; boxes are in its pixels."""
        planes = image.permute(2, 0, 1)
        pixels = (planes[[2, 1, 0]] if self.flipped else planes).float()
        with torch.no_grad(), _scores_from(self.model, threshold):
            [found] = torch_runtime.instances(self.model, [{"image": pixels}])
        return found.pred_boxes.tensor, found.scores, found.pred_classes


def make(model: torch.nn.Module, cfg: CfgNode) -> bytes:
    """The graph of a model in evaluation mode on a CPU. Raises whatever PyTorch says of models it cannot trace."""
    traced = _Traced(model, cfg.INPUT.FORMAT == "BGR").eval()
    content = io.BytesIO()
    with warnings.catch_warnings(), patch_builtin_len():
        warnings.simplefilter("ignore")  # a tracer's, of every shape that it takes for a constant
        torch.onnx.export(
            traced,
            (torch.from_numpy(_pattern(*_SHAPES[0])), torch.tensor(0.0)),
            content,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["image", "threshold"],
            output_names=list(_OUTPUTS),
            dynamic_axes={"image": {0: "height", 1: "width"}} | {name: {0: "found"} for name in _OUTPUTS},
        )
    found = onnx.load_model_from_string(content.getvalue())
    # an input that need not be given, so that the graph can be asked for the weakest detections, too
    found.graph.initializer.append(
        onnx.numpy_helper.from_array(np.asarray(least_score(cfg), np.float32), "threshold")
    )
    return found.SerializeToString(deterministic=True)


def difference(
    content: bytes, model: torch.nn.Module, cfg: CfgNode, images: Sequence[np.ndarray] = ()
) -> str:
    """Where the graph and the model disagree about images and made-up patterns, or nothing."""
    traced = _Traced(model, cfg.INPUT.FORMAT == "BGR").eval()
    tried = [_pattern(*shape) for shape in _SHAPES]
    tried += [resized(image, cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST) for image in images]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    least = least_score(cfg)
    alone: dict[str, list[np.ndarray]] = {"the graph": [], "the model": []}
    for image in tried:
        ours = session.run(None, {"image": image, "threshold": np.zeros((), np.float32)})
        theirs = [part.numpy() for part in traced(torch.from_numpy(image), torch.tensor(0.0))]
        for who, one, other in (("the graph", ours, theirs), ("the model", theirs, ours)):
            strong, missing = one[1] >= least, _alone(one, other)
            alone[who].append(np.array([(missing & strong).sum(), strong.sum(), missing.sum(), strong.size]))
    for who, counts in alone.items():
        strong_alone, strong, all_alone, found = np.sum(counts, axis=0)
        if strong_alone > 1 + _APART * strong or all_alone > 1 + _APART * found:
            return (
                f"{who} alone finds {all_alone} of {found} objects in {len(tried)} images, {strong_alone} of them"
                f" of {strong} with a score of at least {least:g}"
            )
    return ""


def _alone(one: Found, other: Found) -> np.ndarray:
    """Whether each detection of the one is none of the other's: bool [n]."""
    boxes = np.abs(one[0][:, None] - other[0][None]).max(axis=2, initial=0) <= TOLERANCE
    scores = np.abs(one[1][:, None] - other[1][None]) <= TOLERANCE
    return ~(boxes & scores & (one[2][:, None] == other[2][None])).any(axis=1)


def _pattern(height: int, width: int) -> np.ndarray:
    """Something to look at: rectangles and noise, the same every time."""
    random = np.random.default_rng(height)
    image = random.integers(0, 60, (height, width, 3), np.uint8)
    for _ in range(8):
        top, left = random.integers(0, height - 16), random.integers(0, width - 16)
        tall, wide = random.integers(8, 80, 2)
        image[top : top + tall, left : left + wide] += random.integers(0, 190, 3, np.uint8)
    return image


@contextmanager
def _scores_from(model: torch.nn.Module, threshold: torch.Tensor) -> Iterator[None]:
    """Let the model, or its heads, give detections of at least this score."""
    heads = [module for module in model.modules() if hasattr(module, "test_score_thresh")]
    before = [head.test_score_thresh for head in heads]
    try:
        for head in heads:
            head.test_score_thresh = threshold
        yield
    finally:
        for head, value in zip(heads, before, strict=True):
            head.test_score_thresh = value
