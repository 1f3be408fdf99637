"""Makes all that is random in an iteration a function of the seed, the iteration and the image's place in the batch.

So a training that goes on from a checkpoint draws what it would have drawn, and processes that share a batch
draw together what one would.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from detectron2.engine import HookBase
from sampling import derived

# the methods that choose anchors and proposals by chance, called once per image, in order
_CHOOSING = (("proposal_generator", "_subsample_labels"), ("roi_heads", "_sample_proposals"))


class Seeds(HookBase):
    """Seeds every iteration, and in it each image's choices; ``first`` is the place of this process's first image."""

    def __init__(self, model: torch.nn.Module, seed: int, first: int) -> None:
        self._seed, self._first = seed, first
        self._iteration = 0
        self._calls: dict[str, int] = {}
        for part, method in _CHOOSING:
            module = getattr(model, part, None)
            if hasattr(module, method):
                setattr(module, method, self._seeded(method, getattr(module, method)))

    def before_step(self) -> None:
        self._iteration, self._calls = self.trainer.iter, {}
        seed = derived(self._seed, "iteration", self._iteration, self._first)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)  # of the GPUs, too

    def _seeded(self, name: str, choose: Callable[..., Any]) -> Callable[..., Any]:
        def chosen(*arguments: Any) -> Any:
            place = self._first + self._calls.get(name, 0)
            self._calls[name] = self._calls.get(name, 0) + 1
            torch.manual_seed(derived(self._seed, name, self._iteration, place))
            return choose(*arguments)

        return chosen
