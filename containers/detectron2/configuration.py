"""Detectron2's configuration of a job: our small one, one of its model zoo, or the user's own YAML; then changes.

What a YAML says is data alone: it is read safely, with bases from beside it only, and never names a file of weights.
"""

from __future__ import annotations

import argparse
import importlib.util
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperparameters import CONSTANT

SMALL = "small"
# what a hyperparameter or the data decides
_TAKEN = {
    "MODEL.WEIGHTS": "channel weights",
    "MODEL.DEVICE": "instance type",
    "MODEL.ROI_HEADS.NUM_CLASSES": "data",
    "MODEL.RETINANET.NUM_CLASSES": "data",
    "OUTPUT_DIR": "job",
    "SOLVER.AMP.ENABLED": "hyperparameter amp",
    "SOLVER.BASE_LR": "hyperparameter learning_rate",
    "SOLVER.IMS_PER_BATCH": "hyperparameter batch_size",
    "SOLVER.MAX_ITER": "hyperparameter max_iter",
}
_STEPS = (2 / 3, 8 / 9)  # where the learning rate falls to a tenth: as in Detectron2's own schedules


class BadConfiguration(Exception):
    """A configuration that cannot be used; the message names the value and what is possible."""


def read(name: str, channel: Path | None) -> Any:
    """The CfgNode that ``model_config`` names, as it is there. Raises BadConfiguration."""
    from detectron2.config import get_cfg

    cfg, file, zoo = get_cfg(), find(name, channel), _zoo()
    try:
        # some of the zoo's, which are part of Detectron2's code, have expressions in them
        cfg.merge_from_file(str(file), allow_unsafe=zoo in file.parents)
    except (KeyError, ValueError, AssertionError, TypeError, AttributeError, OSError) as error:
        raise BadConfiguration(f"model_config={name!r} is no configuration of Detectron2: {error}") from error
    _check_boxes_only(cfg, name)
    return cfg


def build(found: Any, arguments: argparse.Namespace, classes: int, iterations: int, device: str) -> Any:
    """The whole configuration of a job from the one it is based on. Raises BadConfiguration."""
    cfg = found.clone()
    _set(cfg, arguments, iterations)
    check_keys(arguments.overrides)
    try:
        cfg.merge_from_list(arguments.overrides)
    except (KeyError, ValueError, AssertionError, TypeError) as error:
        raise BadConfiguration(f"overrides: {error}") from error
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = cfg.MODEL.RETINANET.NUM_CLASSES = classes
    cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE, cfg.OUTPUT_DIR = "", device, ""
    _check_boxes_only(cfg, arguments.model_config)
    return cfg


def find(name: str, channel: Path | None) -> Path:
    """The YAML file that ``model_config`` names. Raises BadConfiguration."""
    if name == SMALL:
        return Path(__file__).with_name("small.yaml")
    if not name or not _is_inside(name):
        raise BadConfiguration(f"model_config={name!r} must be a name, not a path that leads elsewhere")
    if channel is not None and (channel / name).is_file():
        _check_bases(channel, name)
        return channel / name
    zoo = _zoo()
    if zoo is not None and (zoo / name).is_file() and name.endswith(".yaml"):
        return zoo / name
    own = "no config channel" if channel is None else f"no such file in the config channel ({channel})"
    raise BadConfiguration(
        f"model_config={name!r} is neither {SMALL!r}, nor one of Detectron2's model zoo such as "
        f"COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml, nor the user's own: there is {own}"
    )


def check_keys(overrides: Sequence[Any]) -> None:
    """Raise BadConfiguration if one sets what is decided elsewhere."""
    for key in overrides[::2]:
        if key in _TAKEN:
            raise BadConfiguration(f"overrides: {key} is decided by the {_TAKEN[key]}, not here")


def _set(cfg: Any, arguments: argparse.Namespace, iterations: int) -> None:
    """What the hyperparameters say; schedules are Detectron2's own."""
    if arguments.image_size:
        size = arguments.image_size
        cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TEST = (size,), size
        cfg.INPUT.MAX_SIZE_TRAIN = cfg.INPUT.MAX_SIZE_TEST = 2 * size
    if arguments.freeze_at >= 0:
        cfg.MODEL.BACKBONE.FREEZE_AT = arguments.freeze_at
    solver = cfg.SOLVER
    solver.BASE_LR, solver.IMS_PER_BATCH = arguments.learning_rate, arguments.batch_size
    solver.MAX_ITER, solver.WEIGHT_DECAY = iterations, arguments.weight_decay
    solver.WARMUP_ITERS = arguments.warmup_iterations
    if arguments.schedule != CONSTANT:  # then a longer training begins alike
        solver.WARMUP_ITERS = min(arguments.warmup_iterations, iterations // 4)
    cosine = arguments.schedule == "cosine"
    solver.LR_SCHEDULER_NAME = "WarmupCosineLR" if cosine else "WarmupMultiStepLR"
    fallen = [int(part * iterations) for part in _STEPS] if arguments.schedule == "steps" else []
    solver.STEPS, solver.GAMMA = tuple(fallen), 0.1
    solver.AMP.ENABLED = arguments.amp == "true"


def _check_boxes_only(cfg: Any, name: str) -> None:
    heads = [key for key in ("MASK_ON", "KEYPOINT_ON") if cfg.MODEL[key]]
    if heads or cfg.MODEL.META_ARCHITECTURE not in ("GeneralizedRCNN", "RetinaNet"):
        what = ", ".join(heads) or f"META_ARCHITECTURE {cfg.MODEL.META_ARCHITECTURE}"
        raise BadConfiguration(
            f"model_config={name!r} has {what}, but this family learns boxes: take a GeneralizedRCNN or RetinaNet "
            f"without masks and keypoints, such as those in COCO-Detection/"
        )


def _check_bases(channel: Path, name: str) -> None:
    """Raise BadConfiguration if the YAML, or one it builds on, is none or builds on a file outside the channel."""
    import yaml

    seen = [name]
    while True:
        try:
            content = yaml.safe_load((channel / seen[-1]).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise BadConfiguration(f"{seen[-1]} of the config channel cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise BadConfiguration(f"{seen[-1]} of the config channel is no YAML mapping")
        base = content.get("_BASE_", "")
        if not base:
            return
        path = posixpath.normpath(posixpath.join(posixpath.dirname(seen[-1]), str(base)))
        if "://" in str(base) or str(base).startswith("~") or not _is_inside(path) or path in seen:
            raise BadConfiguration(f"_BASE_ {base!r} of {seen[-1]} is no other file of the config channel")
        seen.append(path)


def _is_inside(path: str) -> bool:
    normal = posixpath.normpath(path)
    return (
        not normal.startswith(("/", "../", "~")) and normal != ".." and "\\" not in path and "\0" not in path
    )


def _zoo() -> Path | None:
    """The folder of the model zoo's configurations, where Detectron2 is installed."""
    spec = importlib.util.find_spec("detectron2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model_zoo" / "configs" if places else None
