"""Images come with their boxes, augmented by seeds of their own, from whatever process."""

from __future__ import annotations

CODE = """
from pathlib import Path

import configuration
import hyperparameters
import numpy as np
import torch
from loading import BadImage, Examples, Reader, batches
from PIL import Image

HERE = Path(__file__).parent
pixels = np.zeros((40, 60, 3), np.uint8)
pixels[5:15, 10:30, 0] = 200
Image.fromarray(pixels).save(HERE / "a.png")
box = {"bbox": [10.0, 5.0, 20.0, 10.0], "bbox_mode": 1, "category_id": 1, "iscrowd": 0}
told = {"file_name": str(HERE / "a.png"), "image_id": 1, "height": 40, "width": 60}
record = {**told, "annotations": [box, {**box, "iscrowd": 1}]}
cfg = configuration.build(
    configuration.read("small", None), hyperparameters.parser(None).parse_args(["--image_size", "80"]), 2, 9, "cpu"
)
read = Reader("BGR")
examples = Examples(cfg, [record], read)
seen = [examples[0, seed] for seed in range(8)]
flips = set()
for one in seen:
    assert one["image"].shape == (3, 80, 120) and one["image"].dtype == torch.uint8
    [[x0, y0, x1, y1]] = one["instances"].gt_boxes.tensor.tolist()
    assert (y0, y1, x1 - x0) == (10, 30, 40) and one["instances"].gt_classes.tolist() == [1], "no crowds"
    inside = one["image"][:, 14:26, int(x0) + 4 : int(x1) - 4]
    assert inside[2].min() > 150 and inside[0].max() == 0, "blue, green, red"
    flips.add(x0)
assert flips == {20.0, 60.0}
assert record["annotations"][0]["bbox"] == [10.0, 5.0, 20.0, 10.0] and record["file_name"] == told["file_name"]
assert read(told["file_name"]) is read(told["file_name"]), "it is decoded once"

keys = [[(0, seed), (0, seed + 1)] for seed in range(0, 8, 2)]
for workers in (0, 2):
    before = torch.get_rng_state()
    got = [one["image"] for batch in batches(examples, iter(keys), workers) for one in batch]
    assert all(a.equal(b["image"]) for a, b in zip(got, seen, strict=True)), workers
    assert torch.get_rng_state().equal(before)

(HERE / "broken.png").write_bytes((HERE / "a.png").read_bytes()[:60])
try:
    read(str(HERE / "broken.png"))
except BadImage as error:
    assert "broken.png cannot be read" in str(error)
else:
    raise AssertionError("it was read")
"""


def test_what_a_model_is_given(snippet, tmp_path):
    snippet(CODE, tmp_path)
