"""What is printed is what family.toml's expressions find; what is written can be read."""

from __future__ import annotations

import json
import re

import pytest

from trainyard import families


@pytest.fixture
def outcomes(module, monkeypatch):
    monkeypatch.setattr(module("engine"), "identity", lambda: "engine 1")
    outcome = module("fitting").Outcome
    return [
        outcome("a", "a.csv", "fitted", rows=9, mae=1.0, mape=10.0, seconds=0.5),
        outcome("b", "b.csv", "reused", rows=9, mae=3.0, mape=None),
        outcome("é\nc", "%C3%A9%0Ac.csv", "failed", "too\nshort"),
    ]


def found(text):
    """Name -> all values that family.toml's expressions find."""
    metrics = families.find_family(families.repository_root(), "prophet").training.metrics
    return {each.name: [float(value) for value in re.findall(each.regex, text)] for each in metrics}


def test_all_metrics_are_printed(module, outcomes, tmp_path, capsys):
    report = module("training_report")
    report.start(3, 2)
    with (tally := report.Tally()).to(tmp_path / "out", 3):
        tally.add(outcomes[:1])
        tally.add(outcomes[1:])
    text = capsys.readouterr().out
    assert found(text) == {
        "models:done": [0, 1, 2, 3], "models:total": [3, 3, 3, 3], "models:fitted": [1], "models:reused": [1],
        "model:mae": [1], "model:mape": [10], "model:seconds": [0.5],
        "train:mae": [2], "train:mape": [10], "train:failed": [1],
    }  # fmt: skip
    assert len(text.splitlines()) == 5
    assert text.splitlines()[2:4] == [
        "models:done=2; models:total=3; b reused",
        "models:done=3; models:total=3; %C3%A9%0Ac failed: too short",
    ]
    assert (tally.done, tally.counts["failed"]) == (3, 1)


def test_the_report_tells_the_first_failures_and_a_file_tells_everyone(
    module, outcomes, tmp_path, monkeypatch
):
    report = module("training_report")
    monkeypatch.setattr(report, "LISTED", 2)
    tally = report.Tally()
    with pytest.raises(KeyboardInterrupt), tally.to(tmp_path / "out", 9):
        tally.add([*outcomes, outcomes[2], outcomes[2]])
        raise KeyboardInterrupt
    written = json.loads((tmp_path / "out/training_report.json").read_text())
    assert (written["host"], written["engine"], written["customers"]) == ("algo-1", "engine 1", 9)
    assert written["metrics"] == {
        "train:mae": 2, "train:mape": 10, "train:failed": 3, "models:fitted": 1, "models:reused": 1,
    }  # fmt: skip
    assert [(one["customer"], one["reason"]) for one in written["failed"]] == [("é\nc", "too\nshort")] * 2
    lines = (tmp_path / "out/training_report.jsonl").read_text().splitlines()
    assert [json.loads(line)["customer"] for line in lines] == ["a", "b", "é\nc", "é\nc", "é\nc"]


def test_several_hosts_have_names_of_their_own(module, outcomes, tmp_path, monkeypatch):
    monkeypatch.setenv("SM_HOSTS", '["algo-1", "algo-2"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-2")
    with module("training_report").Tally().to(tmp_path / "out", 0):
        pass
    assert json.loads((tmp_path / "out/training_report-algo-2.json").read_text())["host"] == "algo-2"
    assert (tmp_path / "out/training_report-algo-2.jsonl").read_text() == ""


def test_fail(module, tmp_path, capsys):
    module("training_report").fail(tmp_path / "output/failure", "x" * 2000)
    assert (tmp_path / "output/failure").read_text() == "x" * 1024
    assert capsys.readouterr().err.startswith("training failed: xxx")
