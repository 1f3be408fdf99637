"""The parts of a training; test_train.py runs whole ones."""

from __future__ import annotations

CODE = """
from pathlib import Path
from types import SimpleNamespace

import checkpoints
import configuration
import fitting
import hyperparameters

HERE = Path(__file__).parent
arguments = hyperparameters.parser(None).parse_args([])
cfg = configuration.build(configuration.read("small", None), arguments, 2, 90, "cpu")
weights = [fitting.model_of(cfg, seed).state_dict() for seed in (0, 0, 1)]
assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
assert any(not weights[0][name].equal(weights[2][name]) for name in weights[0])

together = fitting.synchronized(cfg)
assert together.MODEL.RESNETS.NORM == "naiveSyncBN" and cfg.MODEL.RESNETS.NORM == "BN"
assert fitting.model_of(together, 0).state_dict().keys() == weights[0].keys(), "it serves as the other does"

settings = {"a": 1}
job = SimpleNamespace(checkpoint_dir=HERE, settings=settings, arguments=arguments, cfg=cfg)
assert fitting._newest(job) is None
for iteration in (30, 60):
    checkpoints.write(HERE, iteration, lambda path: path.write_bytes(b"x"), settings, {})
assert fitting._newest(job).iteration == 60
assert fitting._newest(SimpleNamespace(**{**vars(job), "checkpoint_dir": None})) is None
shorter = configuration.build(configuration.read("small", None), arguments, 2, 50, "cpu")
try:
    fitting._newest(SimpleNamespace(**{**vars(job), "cfg": shorter}))
except checkpoints.OtherTraining as error:
    assert "after iteration 60, beyond the 50 of this training: raise max_iter" in str(error)
else:
    raise AssertionError("it would go back in time")
"""


def test_models_and_checkpoints_to_go_on_from(snippet, tmp_path):
    snippet(CODE, tmp_path)
