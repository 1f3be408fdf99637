"""train.py as a job runs it: to its end, interrupted, killed, on two hosts, with bad data."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import time
import tomllib
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("channels", Path(__file__).with_name("channels.py"))
channels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(channels)

OPTIONS = ("--max_iter", "8", "--log_period", "1", "--checkpoint_period", "3", "--image_size", "64")
LOSSES = ("total_loss", "loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc")


def job(base, source):
    """A base folder with the channels of another, and checkpoints of its own."""
    (base / "checkpoints").mkdir(parents=True, exist_ok=True)
    (base / "input").mkdir()
    (base / "input/data").symlink_to(source / "input/data")
    return base


def weights(base):
    return (base / "model/model.safetensors").read_bytes()


def history(base):
    return json.loads((base / "output/data/training_report.json").read_text())["history"]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, start, module):
    """The base folder of a whole job; do not change it."""
    base = channels.make(tmp_path_factory.mktemp("trained"), module)
    (base / "checkpoints").mkdir()
    run = start("train.py", base, *OPTIONS, "--evaluation_period", "4")
    assert run.wait() == 0, run.text()
    (base / "log").write_text(run.text())
    return base


def test_the_log_has_every_metric(trained, module):
    log = (trained / "log").read_text()
    toml = tomllib.loads((Path(module("train").__file__).parent / "family.toml").read_text())
    for metric in toml["training"]["metrics"]:
        found = [float(value) for value in re.findall(metric["regex"], log)]
        assert len(found) == (2 if metric["name"].endswith("_ap") else 8), metric["name"]
        assert all(value >= 0 for value in found), metric["name"]
    assert [line for line in log.splitlines() if "Warning" in line or "Traceback" in line] == []


def test_a_model_is_left_that_finds_its_way_to_serving(trained):
    about = json.loads((trained / "model/model.json").read_text())
    assert about["classes"] == channels.CLASSES and about["min_size"] == 64
    assert about["provenance"]["iterations"] == "8" and float(about["provenance"]["testing_ap"]) >= 0
    assert len(history(trained)) == 8 + 4
    assert sorted(path.name for path in (trained / "checkpoints").glob("*.json")) == [
        "iteration_00000006.json", "iteration_00000008.json",
    ]  # fmt: skip


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_and_resumed_it_is_the_same_to_the_bit(trained, tmp_path, start, end):
    job(tmp_path, trained)
    run = start("train.py", tmp_path, *OPTIONS)
    until(lambda: (tmp_path / "checkpoints/iteration_00000003.json").exists())
    run.signal(end)
    assert run.wait() == (143 if end == signal.SIGTERM else -end), run.text()
    assert not (tmp_path / "model").exists(), "there is no half model"
    assert ("stopped by SIGTERM: the next run goes on from the checkpoint" in run.text()) == (
        end == signal.SIGTERM
    )

    run = start("train.py", tmp_path, *OPTIONS)
    assert run.wait() == 0, run.text()
    assert re.search(r"^resumed at iteration [3-7] of 8$", run.text(), re.MULTILINE), run.text()
    assert weights(tmp_path) == weights(trained)
    ours, theirs = (
        [[e[name] for name in LOSSES] for e in history(b) if "total_loss" in e] for b in (tmp_path, trained)
    )
    assert ours == theirs


def test_a_damaged_checkpoint_falls_back_and_another_training_is_refused(trained, tmp_path, start):
    job(tmp_path, trained)
    run = start("train.py", tmp_path, *OPTIONS)
    assert run.wait() == 0, run.text()
    newest = tmp_path / "checkpoints/iteration_00000008.safetensors"
    newest.write_bytes(newest.read_bytes()[:-10])
    where = ("--s3_path", "s3://bucket/run-1")
    run = start("train.py", tmp_path, *OPTIONS, *where, "--learning_rate", "0.001")
    assert run.wait() == 1
    reason = (tmp_path / "output/failure").read_text()
    assert "s3_path=s3://bucket/run-1 has checkpoints (the newest after iteration 6)" in reason
    assert "differently: learning_rate: 0.002 then, 0.001 now. To train anew, give another s3_path" in reason
    run = start("train.py", tmp_path, *OPTIONS, *where)
    assert run.wait() == 0, run.text()
    assert "checkpoint iteration_00000008 is damaged, the one before is taken: " in run.text()
    assert "resumed at iteration 6 of 8" in run.text() and weights(tmp_path) == weights(trained)
    assert not (tmp_path / "output/failure").exists()


def test_with_a_constant_learning_rate_a_finished_training_goes_on(trained, tmp_path, start):
    constant = (*OPTIONS, "--schedule", "constant", "--warmup_iterations", "0")
    for name, ends in {"longer": ("2", "4"), "at once": ("4",)}.items():
        job(tmp_path / name, trained)
        for end in ends:
            run = start("train.py", tmp_path / name, *constant, "--max_iter", end)
            assert run.wait() == 0, run.text()
    assert weights(tmp_path / "longer") == weights(tmp_path / "at once")
    run = start("train.py", tmp_path / "longer", *constant, "--max_iter", "3")
    assert run.wait() == 1
    reason = (tmp_path / "longer/output/failure").read_text()
    assert "the newest checkpoint is after iteration 4, beyond the 3 of this training" in reason


def hosts(tmp_path, trained, start, *options, names=("localhost", "other")):
    """Start a job of two hosts; only the first one's name needs to be known to others."""
    runs = []
    for name in names:
        base = job(tmp_path / name, trained)
        channels.hosts(base, name, ("localhost", "other"))
        runs.append(start("train.py", base, *OPTIONS, *options, TRAINING_JOB_NAME=str(tmp_path)))
    return runs


def test_two_hosts_learn_what_one_does(trained, tmp_path, start):
    plain = ("--optimizer", "sgd", "--learning_rate", "0.005")  # AdamW makes much of the least differences
    runs = hosts(tmp_path, trained, start, *plain)
    for run in runs:
        assert run.wait() == 0, run.text()
    assert "host other, 2 of 2: 1 of 2 processes" in runs[1].text() and "total_loss" not in runs[1].text()
    alone, first = job(tmp_path / "alone", trained), tmp_path / "localhost"
    run = start("train.py", alone, *OPTIONS, *plain)
    assert run.wait() == 0, run.text()
    one, two = ([e["total_loss"] for e in history(b) if "total_loss" in e] for b in (alone, first))
    # they differ by the order of sums, which in the end lets another proposal be chosen here or there
    assert one[:4] == pytest.approx(two[:4], rel=1e-3) and one == pytest.approx(two, rel=0.1)
    assert (first / "model/model.json").exists() and not (tmp_path / "other/model").exists()
    assert list((tmp_path / "other/checkpoints").iterdir()) == []


def test_one_host_that_is_stopped_stops_all_in_order(trained, tmp_path, start):
    runs = hosts(tmp_path, trained, start, "--max_iter", "500")
    until(lambda: "iteration=3" in runs[0].text())
    runs[1].signal(signal.SIGTERM)
    assert [run.wait() for run in runs] == [143, 143], [run.text() for run in runs]
    assert list((tmp_path / "localhost/checkpoints").glob("*.json"))
    assert not (tmp_path / "localhost/output/failure").exists()


def test_a_host_that_is_gone_ends_the_training(trained, tmp_path, start):
    runs = hosts(tmp_path, trained, start, "--max_iter", "500")
    until(lambda: "iteration=3" in runs[0].text())
    runs[1].signal(signal.SIGKILL)
    assert [run.wait() for run in runs] == [1, -signal.SIGKILL]
    assert "the connection to another process" in (tmp_path / "localhost/output/failure").read_text()


def test_hosts_that_do_not_come_are_not_waited_for_for_ever(trained, tmp_path, start):
    [run] = hosts(tmp_path, trained, start, "--peer_timeout", "1", names=("localhost",))
    assert run.wait() == 1
    assert "peer_timeout" in (tmp_path / "localhost/output/failure").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--learning_rate", "7"), "--learning_rate: '7' is not a number from 1e-07 to 1"),
        (("--model_config", "../x.yaml"), "must be a name, not a path that leads elsewhere"),
        (("--overrides", '["MODEL.WEIGHTS", "x.pkl"]'), "MODEL.WEIGHTS is decided by the channel weights"),
        (("--training", "/dev/null"), "channel training is missing"),
    ],
)
def test_failures_come_before_torch(tmp_path, module, monkeypatch, capsys, arguments, message):
    """This process has no torch, so the reason is found without it."""
    base = channels.make(tmp_path, module)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert module("train").main(list(arguments)) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert message in (base / "output/failure").read_text()
    assert capsys.readouterr().err.count("\n") == 1 and not (base / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--amp", "true"), "amp=true needs a GPU"),
        (("--overrides", '["MODEL.NONE", 1]'), "overrides: Non-existent key: MODEL.NONE"),
        (("--overrides", '["MODEL.PIXEL_STD", [1e-40, 1e-40, 1e-40]]'), "a lower learning_rate"),
    ],
)  # fmt: skip
def test_what_only_shows_with_torch_is_a_clear_failure_too(trained, tmp_path, start, arguments, message):
    run = start("train.py", job(tmp_path, trained), *OPTIONS, "--max_iter", "60", *arguments)
    assert run.wait() == 1
    assert message in (tmp_path / "output/failure").read_text()
    assert "Traceback" not in run.text()
