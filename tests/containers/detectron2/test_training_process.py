"""What a failure of torch means for a job; test_train.py runs processes that fail."""

from __future__ import annotations

CODE = """
import hyperparameters
import torch
import training_process
from detectron2.utils import comm

arguments = hyperparameters.parser(None).parse_args([])
full = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nMore words")
reason = training_process._reason(full, arguments)
assert reason.startswith("memory ran out with batch_size=4 and image_size=0: lower one of them, set amp=true")
assert reason.endswith("(CUDA out of memory. Tried to allocate 2.00 GiB.)")

gone = RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3")
try:
    training_process._reason(gone, arguments)
except RuntimeError as error:
    assert error is gone, "one process has no peer: this is a bug"
comm.get_world_size = lambda: 2
assert "the connection to another process of this training is lost" in training_process._reason(gone, arguments)
try:
    training_process._reason(RuntimeError("shapes differ"), arguments)
except RuntimeError:
    pass
else:
    raise AssertionError("a bug is no lost connection")
"""


def test_reasons(snippet, tmp_path):
    snippet(CODE, tmp_path)
