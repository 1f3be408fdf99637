"""The example's data: always the same, as large as asked for, and shaped like consumption."""

from __future__ import annotations

import csv

import numpy as np
import pytest


def generate(run, folder, *arguments):
    ran = run("example/generate.py", folder, "--output", str(folder / "out"), *arguments)
    assert ran.returncode == 0, ran.stderr
    return (folder / "out/consumption.csv").read_text()


def test_the_same_arguments_give_the_same_file(run, tmp_path):
    texts = [
        generate(run, tmp_path / name, "--customers", "2", "--days", "30", "--seed", seed)
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    assert texts[0] == texts[1] != texts[2]


def test_more_customers_do_not_change_the_first(run, tmp_path):
    few, many = (
        generate(run, tmp_path / count, "--customers", count, "--days", "30") for count in ("2", "5")
    )
    assert many.startswith(few)


@pytest.mark.parametrize(("freq", "steps", "season"), [("D", 1, 7), ("h", 24, 24)])
def test_rhythms(run, tmp_path, freq, steps, season):
    days = 750 if freq == "D" else 40
    text = generate(run, tmp_path, "--customers", "3", "--days", str(days), "--freq", freq)
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["customer_id", "timestamp", "consumption"]
    assert [row["customer_id"] for row in rows[:: days * steps]] == ["customer_0", "customer_1", "customer_2"]
    values = np.array([float(row["consumption"]) for row in rows]).reshape(3, -1)
    assert values.shape[1] == days * steps and (values >= 0).all()
    for customer in values:
        seasons = customer[: len(customer) // season * season].reshape(-1, season)
        around = seasons - seasons.mean(axis=1, keepdims=True)
        first, second = (half.mean(axis=0) for half in np.array_split(around, 2))
        assert np.corrcoef(first, second)[0, 1] > 0.8
