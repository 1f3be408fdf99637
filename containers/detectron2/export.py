"""Leave a trained model as files that are served without Detectron2, and check that they answer alike. Heavy."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import graph
import model_files
import numpy as np
import safetensors.torch
import torch
import torch_runtime
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from model_files import Details

_log = logging.getLogger("trainyard.detectron2")


def export(
    model: torch.nn.Module,
    cfg: CfgNode,
    classes: Sequence[str],
    folder: Path,
    provenance: Mapping[str, str],
    images: Sequence[np.ndarray] = (),
) -> None:
    """Write config.yaml, model.safetensors, model.onnx if it can be made and agrees, and model.json, last.

    ``model`` stays as it was, on whatever device. ``images`` (H x W x 3 uint8, RGB) are what the graph is tried
    with, beside made-up ones. Where there is no graph, the log says why, and Detectron2 itself will serve.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = ""
    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    names = [model_files.CONFIGURATION, model_files.WEIGHTS]
    model_files.write(folder / names[0], cfg.dump().encode())
    model_files.write(folder / names[1], safetensors.torch.save(weights))
    if _has_graph(folder, cfg, images):
        names.append(model_files.GRAPH)
    Details(
        classes=tuple(classes),
        min_size=cfg.INPUT.MIN_SIZE_TEST,
        max_size=cfg.INPUT.MAX_SIZE_TEST,
        pixel_format=cfg.INPUT.FORMAT,
        runtime=model_files.ONNX if model_files.GRAPH in names else model_files.TORCH,
        score_threshold=graph.least_score(cfg),
        detections_per_image=cfg.TEST.DETECTIONS_PER_IMAGE,
        sha256=model_files.hashes(folder, names),
        provenance=dict(provenance),
    ).save(folder)


def _has_graph(folder: Path, cfg: CfgNode, images: Sequence[np.ndarray]) -> bool:
    """Write model.onnx, if it answers as the model does that is made of the files."""
    path = folder / model_files.GRAPH
    path.unlink(missing_ok=True)
    cfg = cfg.clone()
    cfg.MODEL.DEVICE = "cpu"
    try:
        model = build_model(cfg).eval()
        torch_runtime.load_weights(model, folder)
        content = graph.make(model, cfg)
        fault = graph.difference(content, model, cfg, images)
    except Exception as error:  # whatever a tracer, an exporter or a runtime says of a model not made for it
        fault = " ".join(f"{type(error).__name__}: {error}".split())[:1000]
    if fault:
        _log.warning("no %s, so that Detectron2 itself will serve this model, slower: %s", path.name, fault)
        return False
    model_files.write(path, content)
    return True
