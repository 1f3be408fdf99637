"""What the log and the files say."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest


@pytest.fixture
def report(module):
    return module("training_report")


def test_every_line_is_found_by_the_regular_expressions_of_family_toml(report, capsys):
    losses = ("total_loss", "loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc")
    pace = ("iteration", "learning_rate", "images_per_second", "eta_seconds")
    entry = {name: number / 8 for number, name in enumerate((*losses, *pace), 1)}
    report.interval(entry)
    report.average_precision("training", 0.61234, 300)
    report.average_precision("testing", 1e-5, 300)
    log = capsys.readouterr().out
    assert "training_ap 0.6123 after" in log
    toml = tomllib.loads((Path(report.__file__).parent / "family.toml").read_text())
    found = {m["name"]: re.findall(m["regex"], log) for m in toml["training"]["metrics"]}
    wanted = {name: [f"{value:.6g}"] for name, value in entry.items()}
    assert found == {**wanted, "training_ap": ["0.6123"], "testing_ap": ["0.0000"]}


def test_a_report_is_left_even_of_numbers_that_are_none(report, tmp_path):
    report.write(
        tmp_path / "data", {"seed": 0, "config": Path("x")}, [{"total_loss": float("nan")}], "failed"
    )
    left = json.loads((tmp_path / "data/training_report.json").read_text())
    assert left == {
        "end": "failed",
        "settings": {"seed": 0, "config": "x"},
        "history": [{"total_loss": None}],
    }


def test_the_first_reason_of_a_failure_stays(report, tmp_path, capsys):
    for reason in ("first" * 400, "second"):
        report.fail(tmp_path / "output/failure", reason)
    assert (tmp_path / "output/failure").read_text() == ("first" * 400)[:1024]
    assert capsys.readouterr().err.endswith("\ntraining failed: second\n")
