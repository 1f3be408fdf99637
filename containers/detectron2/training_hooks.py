"""What happens between the iterations of Detectron2's trainer: clipping, telling, measuring, checkpoints, stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
import training_report
from detectron2.engine import HookBase
from detectron2.utils import comm


class Stopped(Exception):
    """The training was asked to stop, here or on another host; its state is saved where there is a folder for it."""


class Clip(HookBase):
    """Keeps the norm of all gradients together at or below ``norm``."""

    def __init__(self, model: torch.nn.Module, norm: float) -> None:
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._norm = norm

    def after_backward(self) -> None:
        scaler = getattr(self.trainer, "grad_scaler", None)
        if scaler is not None:
            scaler.unscale_(self.trainer.optimizer)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._norm)


class Tell(HookBase):
    """A line of metrics every ``period`` iterations and after the last, each added to ``history``, too."""

    def __init__(self, period: int, batch_size: int, history: list[dict[str, Any]]) -> None:
        self._period, self._batch_size, self._history = period, batch_size, history
        self._since, self._told = time.monotonic(), 0

    def before_train(self) -> None:
        self._since, self._told = time.monotonic(), self.trainer.iter

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if done % self._period and done != self.trainer.max_iter:
            return
        steps, seconds = done - self._told, max(time.monotonic() - self._since, 1e-9)
        entry: dict[str, float] = {"iteration": done}
        for name, values in self.trainer.storage.histories().items():
            if name.startswith("loss") or name == "total_loss":
                entry[name] = float(values.avg(steps))
        entry["learning_rate"] = self.trainer.optimizer.param_groups[0]["lr"]
        entry["images_per_second"] = steps * self._batch_size / seconds
        entry["eta_seconds"] = (self.trainer.max_iter - done) * seconds / steps
        training_report.interval(entry)
        self._history.append(entry)
        self._since, self._told = time.monotonic(), done


class Measure(HookBase):
    """Measures every ``period`` iterations; the last measurement is not its business."""

    def __init__(self, period: int, measure: Callable[[int], None]) -> None:
        self._period, self._measure = period, measure

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if done % self._period == 0 and done != self.trainer.max_iter:
            self._measure(done)


class Keep(HookBase):
    """Saves every ``period`` iterations, after the last, and when any process is to stop: then all do."""

    def __init__(self, period: int, save: Callable[[int], None], stopping: Callable[[], bool]) -> None:
        self._period, self._save, self._stopping = period, save, stopping

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        stop = any(comm.all_gather(self._stopping()))
        if stop or done % self._period == 0 or done == self.trainer.max_iter:
            self._save(done)
        if stop:
            raise Stopped
