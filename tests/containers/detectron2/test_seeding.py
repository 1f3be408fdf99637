"""Chance is a function of the seed, the iteration and the place in the batch."""

from __future__ import annotations

CODE = """
import random
from types import SimpleNamespace

import numpy as np
import torch
from seeding import Seeds


class Part(torch.nn.Module):
    def _subsample_labels(self, label):
        return label[torch.randperm(len(label))].tolist()


def drawn(iteration, first=0, seed=5, calls=4):
    model = torch.nn.Module()
    model.proposal_generator = Part()
    seeds = Seeds(model, seed, first)
    seeds.trainer = SimpleNamespace(iter=iteration)
    seeds.before_step()
    free = (random.random(), float(np.random.random()), float(torch.rand(1)))
    return free, [model.proposal_generator._subsample_labels(torch.arange(50)) for _ in range(calls)]


torch.manual_seed(1)
once = drawn(3)
torch.manual_seed(2)
assert once == drawn(3), "whatever was drawn before"
assert len({str(one) for one in once[1]}) == 4, "each image has choices of its own"
assert once[1][2:] == drawn(3, first=2, calls=2)[1], "of two processes the second chooses as one would"
assert once[1] != drawn(4)[1] and once[0] != drawn(4)[0] and once[1] != drawn(3, seed=6)[1]
Seeds(torch.nn.Linear(1, 1), 0, 0)  # a model without such parts
"""


def test_what_is_drawn_does_not_depend_on_what_was(snippet, tmp_path):
    snippet(CODE, tmp_path)
