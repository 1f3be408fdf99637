"""A model is measured on the images as they are, and stays as it was."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("channels", Path(__file__).with_name("channels.py"))
channels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(channels)

CODE = """
from pathlib import Path
from types import SimpleNamespace

import dataset
import measuring
import torch
from detectron2.structures import Boxes, Instances
from loading import Reader

data = dataset.read(Path(__file__).parent / "input/data/training")
cfg = SimpleNamespace(INPUT=SimpleNamespace(MIN_SIZE_TEST=96, MAX_SIZE_TEST=200))


class Knowing(torch.nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.shift, self.asked = shift, 0

    def forward(self, asked):
        assert not self.training and not torch.is_grad_enabled()
        [one] = asked
        assert one["image"].shape == (3, 96, 96) and (one["height"], one["width"]) == (64, 64)
        [box] = data.images[self.asked].boxes
        self.asked += 1
        x = box.x + self.shift
        found = Instances((64, 64), pred_boxes=Boxes([[x, box.y, x + box.width, box.y + box.height]]))
        found.scores, found.pred_classes = torch.tensor([0.9]), torch.tensor([box.label])
        return [{"instances": found}]


for shift, least, most in ((0, 0.999, 1.001), (4, 0.3, 0.8), (40, 0, 0)):
    model = Knowing(shift).train()
    ap = measuring.average_precision(model, cfg, data, Reader("BGR"))
    assert least <= ap <= most and model.training, (shift, ap)
assert measuring.some(data, 99) is data
assert [image.id for image in measuring.some(data, 4).images] == [1, 4, 8, 12]
"""


def test_average_precision(snippet, module, tmp_path):
    channels.make(tmp_path, module)
    snippet(CODE, tmp_path)
