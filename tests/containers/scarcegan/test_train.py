"""train.py as a job runs it: four models, interrupted and killed, with bad data, and still right."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import signal
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

_spec = importlib.util.spec_from_file_location("job_folder", Path(__file__).parent / "job_folder.py")
job_folder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(job_folder)

OPTIONS = ("--steps", "1000", "--interval", "150", "--learning_rate", "1e-3")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory, start):
    """The base folder of a whole job; do not change it."""
    base = job_folder.make(tmp_path_factory.mktemp("trained"))
    (base / "checkpoints").mkdir()
    job = start("train.py", base, *OPTIONS)
    assert job.wait() == 0, job.text()
    (base / "log").write_text(job.text())
    return base


def test_four_models_are_left(trained, module):
    models = module("model_archives").load(trained / "model")
    assert [model.name for model in models] == [f"fold_{fold}" for fold in range(4)]
    rows = np.load(trained / "input/data/train_data/data.npy")
    risky = np.load(trained / "input/data/train_label/label.npy") == 3
    for fold, model in enumerate(models):
        out = np.load(trained / f"input/data/kfold_data/fold_{fold}.npy")
        flagged, positive = model.flags(rows[out]), risky[out]
        assert model.details["threshold"]["recall"] == (flagged & positive).sum() / positive.sum() > 0.8
        assert model.details["threshold"]["precision"] >= 0.5 and model.details["fold"] == fold
        assert model.details["scaler"]["transform"] == "none" and len(model.details["data_digest"]) == 64
    assert {path.name for path in (trained / "model").iterdir()} == {
        *(f"fold_{fold}.tar.gz" for fold in range(4)),
        "mean.tar.gz",
    }


def test_the_log_has_every_metric(trained, module):
    log = (trained / "log").read_text()
    folder = Path(module("train").__file__).parent
    for metric in tomllib.loads((folder / "family.toml").read_text())["training"]["metrics"]:
        found = re.findall(metric["regex"], log)
        assert found and all(np.isfinite(float(value)) for value in found), metric["name"]
    iterations = re.findall(r"Iteration=(\S+);", log)
    assert iterations == ["150", "300", "450", "600", "750", "900", "1000"] * 4
    assert log.splitlines()[-1].endswith("s") and len(log.splitlines()) == 4 * 7 + 1, log


def test_reports(trained):
    report = json.loads((trained / "output/data/training_report.json").read_text())
    assert [model["name"] for model in report["models"]] == list(report["history"])
    assert report["metrics"]["validation:recall"] > 0.8
    health = json.loads((trained / "output/data/gradient_health.json").read_text())
    assert [one["RuleEvaluationStatus"] for one in health["DebugRuleEvaluationStatuses"]] == [
        "NoIssuesFound"
    ] * 2


def whole_checkpoint(base, name):
    path = base / "checkpoints" / name
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_and_resumed_it_is_the_same_to_the_bit(trained, tmp_path, start, end):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "input").symlink_to(trained / "input")
    job = start("train.py", tmp_path, *OPTIONS)
    whole_checkpoint(tmp_path, "fold_1.npz")
    job.signal(end)
    assert job.wait() == (143 if end == signal.SIGTERM else -end), job.text()
    assert not (tmp_path / "model").exists(), "there is no half model"
    assert ("stopped by SIGTERM" in job.text()) == (end == signal.SIGTERM)

    job = start("train.py", tmp_path, *OPTIONS)
    assert job.wait() == 0, job.text()
    assert "fold_0" not in job.text(), "it is not trained again"
    assert re.search(r"^fold_[12]: resumed at iteration \d+$", job.text(), re.MULTILINE)
    assert files(tmp_path / "model") == files(trained / "model")
    before, after = (
        json.loads((base / "output/data/training_report.json").read_text()) for base in (trained, tmp_path)
    )
    assert before["history"] == after["history"]
    assert files(tmp_path / "checkpoints") == files(trained / "checkpoints")


def test_what_changed_is_trained_again(trained, tmp_path, start):
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "input").symlink_to(trained / "input")
    damaged = tmp_path / "checkpoints/fold_2.npz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    job = start("train.py", tmp_path, *OPTIONS)
    assert job.wait() == 0, job.text()
    assert "checkpoint fold_2.npz is damaged" in job.text()
    assert set(re.findall(r"; (fold_\d)\n", job.text())) == {"fold_2"}
    assert files(tmp_path / "model") == files(trained / "model")


def test_models_of_ones_own(trained, tmp_path, start, module):
    """Without a checkpoint folder, with a model of all rows, which the validation channel judges."""
    shutil.copytree(trained / "input", tmp_path / "input")
    for channel in ("data", "label"):
        folder = tmp_path / "input/data" / f"val_{channel}"
        shutil.copytree(tmp_path / "input/data" / f"train_{channel}", folder)
    models = [
        {"name": "all", "fold": None, "steps": 20},
        {"name": "b", "fold": 3, "variant": "vanilla", "steps": 10},
    ]
    job = start("train.py", tmp_path, "--models", repr(models), "--deterministic", "False")
    assert job.wait() == 0, job.text()
    every, vanilla = module("model_archives").load(tmp_path / "model")
    assert sum(every.details["trained_on"]["labelled"].values()) == 250 and every.details["fold"] is None
    assert vanilla.details["options"]["variant"] == "vanilla" and not vanilla.details["leeway"]
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (None, ("--alpha", "7"), "--alpha: '7' is not a number from 0.01 to 1"),
        (None, ("--batch_size", "30"), "batch_size=30 of model fold_0 is no multiple of the 4 classes"),
        ("scaler", (), "scaler: scaler.json cannot be read"),
        ("unlabeled_data", (), "channel unlabeled_data is missing: there is no folder"),
    ],
)
def test_failures_come_before_tensorflow(tmp_path, module, monkeypatch, capsys, damage, arguments, message):
    """This process has no TensorFlow, so the reason is found without it."""
    base = job_folder.make(tmp_path)
    if damage:
        shutil.rmtree(base / "input/data" / damage)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert module("train").main(list(arguments)) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert message in (base / "output/failure").read_text()
    assert capsys.readouterr().err.count("\n") == 1 and not (base / "model").exists()


def test_bad_gradients_are_a_clear_failure(tmp_path, start):
    base = job_folder.make(tmp_path)
    job_folder.change(base, "unlabeled_data", "data", lambda rows: rows * np.float32(1e30))
    job = start("train.py", base, *OPTIONS, "--stop_on_bad_gradients", "true")
    assert job.wait() == 1
    reason = (base / "output/failure").read_text()
    assert reason.startswith("ExplodingTensor in model fold_0 before iteration 150: the gradient of the ")
    health = json.loads((base / "output/data/gradient_health.json").read_text())
    assert health["DebugRuleEvaluationStatuses"][1]["RuleEvaluationStatus"] == "IssuesFound"
    assert not (base / "model").exists()


def test_a_place_that_cannot_be_written_is_a_clear_failure(trained, tmp_path, start):
    (tmp_path / "input").symlink_to(trained / "input")
    job = start("train.py", tmp_path, "--steps", "20", "--model-dir", "/dev/null/x")
    assert job.wait() == 1
    assert "Not a directory" in (tmp_path / "output/failure").read_text()
