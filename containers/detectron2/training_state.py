"""All that a training is, between two iterations, as tensors and JSON; the rest follows from the seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

_MODEL, _OPTIMIZER = "model.", "optimizer."


def tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """By name: the model's, and the optimizer's as ``optimizer.NUMBER.NAME``."""
    found = {f"{_MODEL}{name}": tensor for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                found[f"{_OPTIMIZER}{number}.{name}"] = torch.as_tensor(value)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in found.items()}


def save(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raises OSError."""
    safetensors.torch.save_file(tensors(model, optimizer), str(path))


def rest(optimizer: torch.optim.Optimizer, scheduler: Any, scaler: Any) -> dict[str, Any]:
    """What is no tensor: plain numbers, for JSON."""
    return {
        "param_groups": optimizer.state_dict()["param_groups"],
        "scheduler": scheduler.state_dict(),
        "scaler": scaler.state_dict() if scaler is not None else None,
    }


def restore(
    path: Path,
    kept: dict[str, Any],
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    scaler: Any,
) -> None:
    """Set all to what ``save`` and ``rest`` kept."""
    stored = safetensors.torch.load_file(str(path))
    model.load_state_dict(
        {name[len(_MODEL) :]: tensor for name, tensor in stored.items() if name.startswith(_MODEL)}
    )
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in stored.items():
        if name.startswith(_OPTIMIZER):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": kept["param_groups"]})
    scheduler.load_state_dict(kept["scheduler"])
    if scaler is not None and kept["scaler"] is not None:
        scaler.load_state_dict(kept["scaler"])
