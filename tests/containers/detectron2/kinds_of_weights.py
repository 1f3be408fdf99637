import os
import pickle
from pathlib import Path

import initial_weights
import safetensors.torch
import torch

HERE = Path(__file__).parent


class Evil:
    def __reduce__(self):
        return (os.mkdir, (str(HERE / "ran"),))


def model():
    return torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2), "head": torch.nn.Linear(2, 4)})


def refused(file):
    try:
        initial_weights.load(model(), file)
    except initial_weights.BadWeights as error:
        return str(error)
    raise AssertionError(file)


given = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2), "head.weight": torch.ones(9, 2)}
safetensors.torch.save_file(given, str(HERE / "w.safetensors"))
torch.save({"model": given, "iteration": 3}, HERE / "w.pth")
numbers = {name: tensor.numpy() for name, tensor in given.items()}
(HERE / "w.pkl").write_bytes(pickle.dumps({"model": numbers, "__author__": "somebody"}))
for name in ("w.safetensors", "w.pth", "w.pkl"):
    fresh = model()
    told = initial_weights.load(fresh, HERE / name)
    assert told == f"2 tensors from {name}; trained from scratch: head.weight, head.bias", told
    assert fresh["a"].weight.eq(1).all() and fresh["a"].bias.eq(0).all()

torch.save({"x": torch.ones(1)}, HERE / "other.pth")
assert (
    "has nothing of this model: it has x, the model has a.weight, a.bias, head.weight and 1 more"
    in refused(HERE / "other.pth")
)
(HERE / "evil.pth").write_bytes(b"")
torch.save({"model": Evil()}, HERE / "evil.pth")
assert "is damaged or more than weights" in refused(HERE / "evil.pth")
torch.save([1], HERE / "list.pth")
assert "no table of tensors" in refused(HERE / "list.pth")
whole = (HERE / "w.safetensors").read_bytes()
(HERE / "half.safetensors").write_bytes(whole[:50])
assert "is damaged" in refused(HERE / "half.safetensors")
