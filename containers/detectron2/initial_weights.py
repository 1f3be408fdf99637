"""Weights to begin with, from the weights channel: data alone, unless pickle is asked for."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

KINDS = (".safetensors", ".pth", ".pkl")


class BadWeights(Exception):
    """Weights that cannot be used; the message names the file and what to do."""


def find(channel: Path | None, allow_pickle: bool) -> Path | None:
    """The one file of weights in the channel; None without a channel. Raises BadWeights."""
    if channel is None:
        return None
    files = sorted(path for path in channel.rglob("*") if path.suffix in KINDS and path.is_file())
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise BadWeights(f"channel weights must hold one file ({', '.join(KINDS)}), it has: {names}")
    if files[0].suffix == ".pkl" and not allow_pickle:
        raise BadWeights(
            f"{files[0].name} of channel weights is a pickle, which runs any code that is in it: convert it to "
            f".safetensors, or set allow_pickle=true if you trust where it comes from"
        )
    return files[0]


def digest(file: Path | None) -> str:
    """The sha256 of its bytes; "" for none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file else ""


def load(model: Any, file: Path) -> str:
    """Copy what fits into the model; the answer tells what did. Raises BadWeights."""
    import torch

    given = {name: torch.as_tensor(value) for name, value in _read(file, model).items()}
    own = model.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise BadWeights(
            f"{file.name} of channel weights has nothing of this model: it has {_some(given)}, the model has "
            f"{_some(own)}; is it of another model_config?"
        )
    model.load_state_dict(fitting, strict=False)
    fresh = [name for name in own if name not in fitting and "num_batches_tracked" not in name]
    return f"{len(fitting)} tensors from {file.name}; trained from scratch: {_some(fresh)}"


def _read(file: Path, model: Any) -> dict[str, Any]:
    """Raises BadWeights."""
    import safetensors
    import safetensors.torch
    import torch

    try:
        if file.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(str(file)))
        if file.suffix == ".pkl":
            return _zoo(file, model)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, EOFError) as error:
        raise BadWeights(f"{file.name} of channel weights cannot be read: {error}") from error
    except (pickle.UnpicklingError, safetensors.SafetensorError) as error:
        raise BadWeights(
            f"{file.name} of channel weights is damaged or more than weights: {str(error).splitlines()[0]}"
        ) from error
    content = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise BadWeights(f"{file.name} of channel weights is no table of tensors by name")
    return content


def _zoo(file: Path, model: Any) -> dict[str, Any]:
    """Detectron2's own files, older names brought to today's."""
    import torch
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.checkpoint.c2_model_loading import align_and_update_state_dicts

    print(f"WARNING: {file.name} is a pickle and runs any code that is in it: allow_pickle=true", flush=True)
    content = DetectionCheckpointer(model)._load_file(str(file))
    weights = {name: torch.as_tensor(value) for name, value in content["model"].items()}
    if content.get("matching_heuristics"):
        weights = align_and_update_state_dicts(
            model.state_dict(), weights, c2_conversion=content.get("__author__") == "Caffe2"
        )
    return dict(weights)


def _some(names: Any) -> str:
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return (", ".join(listed[:3]) or "nothing") + more
