"""In the family's environment: leave a small model as training does, run it in every way, and say what came of it.

    PYTHON exported.py FOLDER

FOLDER/model is the model, FOLDER/report.json what the tests read. Its weights are random, but such that scores
differ: what is tested is that all ways agree.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import detector
import export
import graph
import graph_sessions
import model_files
import numpy as np
import torch
import torch_runtime
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import build_model

CLASSES = ("circle", "square")
SIZES = ((96, 96), (64, 150), (200, 90), (96, 96), (33, 47))
IMPORTED = """
import sys
import numpy as np
import detector
from pathlib import Path
found = detector.load(Path(sys.argv[1])).detect([np.zeros((50, 60, 3), np.uint8)])
print([name for name in ("torch", "detectron2") if name in sys.modules])
"""


def configuration() -> CfgNode:
    cfg = get_cfg()
    model = cfg.MODEL
    model.DEVICE, model.META_ARCHITECTURE, model.WEIGHTS = "cpu", "GeneralizedRCNN", "somewhere.pth"
    model.BACKBONE.NAME, model.BACKBONE.FREEZE_AT = "build_resnet_backbone", 0
    resnet = model.RESNETS
    resnet.DEPTH, resnet.NORM, resnet.OUT_FEATURES = 50, "BN", ["res3"]
    resnet.WIDTH_PER_GROUP, resnet.RES2_OUT_CHANNELS, resnet.STEM_OUT_CHANNELS = 8, 32, 16
    model.PIXEL_STD = [57.375, 57.12, 58.395]
    model.ANCHOR_GENERATOR.SIZES, model.ANCHOR_GENERATOR.ASPECT_RATIOS = [[16, 40]], [[1.0]]
    model.RPN.IN_FEATURES, model.RPN.CONV_DIMS, model.RPN.POST_NMS_TOPK_TEST = ["res3"], [16], 30
    heads = model.ROI_HEADS
    heads.NAME, heads.IN_FEATURES, heads.NUM_CLASSES = "StandardROIHeads", ["res3"], len(CLASSES)
    box = model.ROI_BOX_HEAD
    box.NAME, box.NUM_FC, box.FC_DIM, box.POOLER_RESOLUTION = "FastRCNNConvFCHead", 1, 32, 3
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 96, 160
    cfg.TEST.DETECTIONS_PER_IMAGE = 20
    return cfg


def trained(cfg: CfgNode) -> torch.nn.Module:
    """As if trained: statistics of its layers fit their input, and scores differ much."""
    torch.manual_seed(0)
    model = build_model(cfg).train()
    with torch.no_grad():
        for _ in range(30):
            model.backbone(torch.randn(2, 3, 96, 96))
        model.proposal_generator.rpn_head.objectness_logits.weight *= 100
        model.roi_heads.box_predictor.cls_score.weight *= 100
    return model


def compared(found: list[detector.Detections], expected: list[detector.Detections]) -> list[dict[str, float]]:
    answers = []
    for one, other in zip(found, expected, strict=True):
        answer = {"found": len(one), "reference": len(other)}
        if len(one) == len(other):
            answer["boxes"] = float(np.abs(one.boxes - other.boxes).max(initial=0))
            answer["scores"] = float(np.abs(one.scores - other.scores).max(initial=0))
            answer["labels"] = int((one.labels != other.labels).sum())
        answers.append(answer)
    return answers


def often(at: Path) -> dict[str, object]:
    """Whether a size that has a session of its own is answered as before, and which sizes have one."""
    sessions = graph_sessions.Sessions(at / model_files.GRAPH, 1)
    random, equal = np.random.default_rng(6), []
    sizes = [(96, 96 + 8 * number) for number in range(graph_sessions.KEPT + 1)]
    for size in sizes:
        image = random.integers(0, 255, (*size, 3), np.uint8)
        answers = [sessions.run(image) for _ in range(graph_sessions.OFTEN + 2)]
        equal += [
            np.allclose(*pair, 0, 1e-3) for one in answers[1:] for pair in zip(answers[0], one, strict=True)
        ]
    sessions.run(np.zeros((50, 60, 3), np.uint8))
    return {"equal": all(equal), "sizes": sizes, "kept": list(sessions._of_size)}


def refused(folder: Path, name: str, content: bytes) -> str:
    """What is said of a model with another file, whose digest model.json has."""
    path = folder / name
    before = path.read_bytes(), (folder / model_files.DETAILS).read_bytes()
    details = model_files.load(folder)
    model_files.write(path, content)
    sums = details.sha256 | model_files.hashes(folder, [name])
    model_files.Details(**{**vars(details), "sha256": sums}).save(folder)
    runtime = model_files.ONNX if name == model_files.GRAPH else model_files.TORCH
    try:
        detector.load(folder, runtime=runtime)
        return ""
    except detector.BadModel as error:
        return str(error)
    finally:
        path.write_bytes(before[0])
        (folder / model_files.DETAILS).write_bytes(before[1])


def without_graph(model: torch.nn.Module, cfg: CfgNode, folder: Path) -> dict[str, object]:
    """A model that cannot be traced, and one whose graph is another model's."""
    make, answers = graph.make, {}
    other = trained(cfg)
    with torch.no_grad():
        other.roi_heads.box_predictor.cls_score.weight.copy_(-model.roi_heads.box_predictor.cls_score.weight)

    def fails(*_: object) -> bytes:
        raise RuntimeError("no symbol for\ndeform_conv")

    for name, replacement in (("untraceable", fails), ("another", lambda _, cfg: make(other.eval(), cfg))):
        graph.make = replacement
        export.export(model, cfg, CLASSES, folder / name, {})
        graph.make = make
        details = model_files.load(folder / name)
        image = np.random.default_rng(9).integers(0, 255, (96, 96, 3), np.uint8)
        ways = detector.load(folder / name), detector.reference(folder / name)
        agree = compared(*(way.detect([image]) for way in ways))
        files = sorted(path.name for path in (folder / name).iterdir())
        answers[name] = {"runtime": details.runtime, "files": files, "agree": agree}
    return answers


def main(folder: Path) -> None:
    logging.basicConfig(filename=folder / "log", level=logging.WARNING)
    torch.set_num_threads(1)
    cfg = configuration()
    model = trained(cfg)
    at = folder / "model"
    export.export(model, cfg, CLASSES, at, {"made": "by a test"})
    digests = model_files.load(at).sha256
    export.export(model, cfg, CLASSES, folder / "again", {"made": "by a test"})
    random = np.random.default_rng(5)
    images = [random.integers(0, 255, (*size, 3), np.uint8) for size in SIZES]
    expected = detector.reference(at).detect(images)
    graph_detector = detector.load(at)
    report = {
        "model": json.loads((at / "model.json").read_text()),
        "same_again": model_files.load(folder / "again").sha256 == digests,
        "stays_in_training": model.training and cfg.MODEL.WEIGHTS == "somewhere.pth",
        "onnx": compared([graph_detector.detect([image])[0] for image in images], expected),
        "onnx_batch": compared(graph_detector.detect(images), expected),
        "often": often(at),
        "torch": compared(detector.load(at, runtime="torch").detect(images), expected),
        "bad_graph": refused(at, "model.onnx", b"no graph"),
        "bad_weights": refused(at, "model.safetensors", b"no weights"),
        "bad_configuration": refused(at, "config.yaml", b"MODEL: !!python/object/apply:os.getcwd []\n"),
        "without_graph": without_graph(model, cfg, folder),
        "batches": torch_runtime._batches(images, 2),
        "imported": json.loads(
            subprocess.run(
                [sys.executable, "-c", IMPORTED, str(at)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.replace("'", '"')
        ),
        "log": (folder / "log").read_text(),
    }
    (folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
