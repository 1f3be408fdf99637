"""A training that is saved and restored goes on as it would have."""

from __future__ import annotations

CODE = """
import json
from pathlib import Path

import torch
import training_state

HERE = Path(__file__).parent
KINDS = {
    "adamw": lambda p: torch.optim.AdamW([{"params": p[:1], "lr": 0.1}, {"params": p[1:], "lr": 0.2}]),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "plain": lambda p: torch.optim.SGD(p, lr=0.01),
}


def made(kind):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    optimizer = KINDS[kind](list(model.parameters()))
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.3)


def step(model, optimizer, scheduler, number):
    torch.manual_seed(number)
    optimizer.zero_grad()
    model(torch.randn(8, 3)).pow(2).sum().backward()
    optimizer.step()
    scheduler.step()


for kind in KINDS:
    whole = made(kind)
    for number in range(6):
        step(*whole, number)
        if number == 2:
            training_state.save(HERE / kind, whole[0], whole[1])
            rest = json.loads(json.dumps(training_state.rest(whole[1], whole[2], None)))
    resumed = made(kind)
    training_state.restore(HERE / kind, rest, *resumed, None)
    for number in range(3, 6):
        step(*resumed, number)
    for name, tensor in whole[0].state_dict().items():
        assert tensor.equal(resumed[0].state_dict()[name]), (kind, name)
    assert whole[1].param_groups[0]["lr"] == resumed[1].param_groups[0]["lr"]

scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
model, optimizer, scheduler = made("sgd")
rest = json.loads(json.dumps(training_state.rest(optimizer, scheduler, scaler)))
training_state.save(HERE / "amp", model, optimizer)
other = torch.amp.GradScaler("cpu", init_scale=2.0)
training_state.restore(HERE / "amp", rest, model, optimizer, scheduler, other)
assert other.get_scale() == 8.0
"""


def test_a_round_trip_changes_nothing(snippet, tmp_path):
    snippet(CODE, tmp_path)
