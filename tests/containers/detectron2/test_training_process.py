"""What a failure of torch means for a job; test_train.py runs processes that fail."""

from __future__ import annotations

import importlib.util
import json
import signal
from pathlib import Path

import pytest

from tests.conftest import wait_until

_spec = importlib.util.spec_from_file_location("channels", Path(__file__).with_name("channels.py"))
channels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(channels)

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


# two processes of one host, as on two GPUs; the processes themselves see that there is none
TWO = """
import torch
torch.cuda.device_count = lambda: 2
import train
raise SystemExit(train.main())
"""


@pytest.fixture
def two(start, module, tmp_path):
    channels.make(tmp_path, module)
    (tmp_path / "checkpoints").mkdir()
    script = tmp_path / "two.py"
    folder = Path(module("train").__file__).parent
    script.write_text(f"import sys; sys.path.insert(0, {str(folder)!r})\nif __name__ == '__main__':\n" +
                      "\n".join("    " + line for line in TWO.splitlines()))  # fmt: skip
    return lambda *more: start(str(script), tmp_path, "--image_size", "64", "--log_period", "1", *more)


def test_processes_of_one_host(two, tmp_path):
    run = two("--max_iter", "4")
    assert run.wait() == 0, run.text()
    assert "host algo-1, 1 of 1: 2 of 2 processes, 2 GPUs" in run.text()
    report = json.loads((tmp_path / "output/data/training_report.json").read_text())
    assert report["settings"]["processes"] == 2 and (tmp_path / "model/model.json").exists()


def test_all_processes_of_a_host_are_stopped(two, tmp_path):
    run = two("--max_iter", "500")
    wait_until(lambda: "iteration=2" in run.text(), 90)
    run.signal(signal.SIGTERM)
    assert run.wait() == 143, run.text()
    assert list((tmp_path / "checkpoints").glob("*.json")) and not (tmp_path / "output/failure").exists()
