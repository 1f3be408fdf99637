"""Between iterations: gradients are clipped, lines told, checkpoints kept, and the training stopped."""

from __future__ import annotations

CODE = """
import torch
import training_hooks
from detectron2.engine import SimpleTrainer


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return {"loss_cls": 100 * (self.weight * x).sum(), "loss_rpn_cls": self.weight.sum()}


def train(hooks, begin=0, end=7):
    model = Model()
    data = iter(torch.arange(begin, end).float())
    trainer = SimpleTrainer(model, data, torch.optim.SGD(model.parameters(), lr=0.1))
    trainer.register_hooks([hook(model) for hook in hooks])
    trainer.train(begin, end)
    return model


history, saved, measured = [], [], []
train([
    lambda model: training_hooks.Clip(model, 0.001),
    lambda model: training_hooks.Tell(3, 4, history),
    lambda model: training_hooks.Measure(2, measured.append),
    lambda model: training_hooks.Keep(3, saved.append, lambda: False),
])
assert saved == [3, 6, 7] and measured == [2, 4, 6]
assert [entry["iteration"] for entry in history] == [3, 6, 7]
assert abs(history[0]["loss_cls"] - 200) < 1 and abs(history[1]["total_loss"] - 802) < 1, history
assert history[1]["eta_seconds"] > 0 == history[2]["eta_seconds"] and history[0]["learning_rate"] == 0.1
clipped = train([lambda model: training_hooks.Clip(model, 0.001)])
assert (1 - clipped.weight).norm() < 0.1 * 0.001 * 7 + 1e-6

history.clear()
train([lambda model: training_hooks.Tell(3, 4, history)], begin=4)
assert [entry["iteration"] for entry in history] == [6, 7], "the first line is of what this run did"
calls = iter([False, False, True])
saved.clear()
try:
    train([lambda model: training_hooks.Keep(100, saved.append, lambda: next(calls))])
except training_hooks.Stopped:
    assert saved == [3]
else:
    raise AssertionError("it goes on")
"""


def test_what_happens_when(snippet, tmp_path):
    snippet(CODE, tmp_path)
