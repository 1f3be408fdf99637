"""The table and its words follow the numbers, whatever they are."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "scarcegan_reading.py"
spec = importlib.util.spec_from_file_location("scarcegan_reading", FILE)
reading = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading)


def numbers(value, sd=0.01, **others):
    measures = ("recall", "precision", "f1", "ap", "recall_fpr1")
    return {name: [others.get(name, value), sd] for name in measures}


def document(ours, single, plain, balanced, task="u2r", seeds=5, changed=()):
    rows = {"single fold": single, "mean of 4": ours, "all": single}
    for row in rows.values():
        row["unknown"] = [0.0, 0.0]
    peer = {"boosting, balanced": balanced, "boosting": plain}
    return {"results": {
        "scarcegan": {"seeds": seeds, "set": list(changed), "tasks": {task: rows}},
        "peer": {"seeds": seeds, "set": [], "tasks": {task: peer}},
    }}  # fmt: skip


def page(*rows, **more):
    return reading.page(document(*rows, **more)).replace("\n  ", " ")


def test_a_model_that_wins_everywhere_is_said_to():
    text = page(numbers(0.9), numbers(0.8), numbers(0.5), numbers(0.6))
    assert "better in recall, precision, F1, AP, recall@1%FPR." in text
    assert "worse in" not in text and "no clear" not in text and "false alarm in" not in text
    assert "6 of 6 targets are met." in text and "NOT MET" not in text
    assert "of 100 rare rows it finds 90, boosting at best 60" in text


def test_a_model_that_loses_is_said_to_and_each_target_that_it_misses():
    text = page(numbers(0.2), numbers(0.3), numbers(0.5), numbers(0.3))
    assert "worse in recall, precision, F1, AP, recall@1%FPR." in text and "better in" not in text
    assert text.count("NOT MET") == 6
    assert "0 of 6 targets are met; not: u2r recall >= .750, u2r recall >= .650 (boosting + .15)," in text
    assert "u2r AP >= .550 (boosting + .05), u2r AP >= .201 (original + .20)," in text
    assert "false alarm in u2r" in text
    assert "as one of them in 0 of 1 tasks" in text


def test_less_than_the_seeds_differ_is_no_clear_difference():
    text = page(numbers(0.9, ap=0.61), numbers(0.6), numbers(0.5, 0.02, ap=0.6), numbers(0.5))
    assert "no clear difference in AP." in text
    assert (
        page(numbers(0.9, ap=0.63), numbers(0.6), numbers(0.5, 0.02, ap=0.6), numbers(0.5)).count("no clear")
        == 0
    )


def test_the_better_of_both_boostings_counts_on_each_measure():
    text = page(numbers(0.9), numbers(0.6), numbers(0.5, ap=0.8), numbers(0.4, recall=0.7))
    assert ">= .850 (recall" not in text
    assert ">= .850 (boosting + .15)" in text and ">= .850 (boosting + .05)" in text


def test_most_unknown_is_a_limit_from_above():
    made = document(numbers(0.99), numbers(0.9), numbers(0.5), numbers(0.5), task="weak-r2l")
    assert "<= .120" in reading.page(made) and "NOT MET" not in reading.page(made)
    made["results"]["scarcegan"]["tasks"]["weak-r2l"]["mean of 4"]["unknown"] = [0.13, 0.0]
    assert "not: weak-r2l unknown <= .120." in reading.page(made)


def test_few_seeds_and_other_hyperparameters_are_named():
    rows = (numbers(0.9), numbers(0.8), numbers(0.5), numbers(0.6))
    text = page(*rows, seeds=1, changed=["steps=10"])
    assert "1999, one seed\n" in text and "of 5 seeds, this is 1" in text
    assert "higher in recall, precision" in text and "better in" not in text and "±.010" not in text
    assert "With steps=10: not the configuration" in text
    assert "impression" not in page(*rows) and "configuration" not in page(*rows)


@pytest.mark.parametrize("below", [".", "kddcup99"])
def test_the_data_are_found_or_it_is_said_where_they_are(tmp_path, below):
    def ask(*words):
        command = [sys.executable, "-I", str(FILE), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True)

    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    (folder / "corrected.gz").touch()
    lacking = ask("data", tmp_path)
    assert lacking.returncode == 1 and reading.SOURCE in lacking.stderr
    assert "fetch_kddcup99" in lacking.stderr and str(tmp_path) in lacking.stderr
    (folder / "kddcup.data_10_percent.gz").touch()
    assert ask("data", tmp_path).stdout == f"{folder}\n"
    assert ask("data").returncode == 2


def test_it_reads_what_is_kept(tmp_path):
    made = document(numbers(0.9), numbers(0.8), numbers(0.5), numbers(0.6))
    (tmp_path / "kept.json").write_text(json.dumps(made))
    printed = subprocess.run(
        [sys.executable, "-I", str(FILE), "table", str(tmp_path / "kept.json")],
        capture_output=True,
        text=True,
    )
    assert printed.stdout == f"{reading.page(made)}\n", printed.stderr
