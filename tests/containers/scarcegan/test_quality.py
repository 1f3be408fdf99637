"""Leakage is found where it is, by user and by equal rows; sizes are told by class and split."""

from __future__ import annotations

import json

import numpy as np


def test_leakage(module):
    users = {"train": np.array([1, 2, 3]), "test": np.array([3, 4]), "unlabeled": np.array([9])}
    rows = {
        "train": np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], np.float32),
        "test": np.array([[-0.0, 1.0], [1.0, 0.0]], np.float32),
        "unlabeled": np.array([[1.0, 0.0]], np.float32),
    }
    found = module("quality").leakage(users, rows)
    assert found == {
        "train, test": {"users": 1, "equal_rows": 1, "rows": 2},
        "train, unlabeled": {"users": 0, "equal_rows": 0, "rows": 1},
        "test, unlabeled": {"users": 0, "equal_rows": 1, "rows": 1},
    }


def test_rows_that_differ_have_different_prints(module):
    bits = (np.arange(2**18)[:, None] >> np.arange(18)) & 1
    prints = module("quality")._prints(bits.astype(np.float32))
    assert len(np.unique(prints)) == 2**18
    assert module("quality")._prints(bits[:0].astype(np.float32)).tolist() == []


def test_class_sizes(module):
    rank, label = np.array([5, 5, 6, 7, 8]), np.array([0, 0, 0, 1, -1])
    rows = {"train": np.array([0, 1, 3]), "test": np.array([2]), "unlabeled": np.array([4])}
    sizes = module("quality").class_sizes(rank, label, rows, ("a", "b"))
    assert sizes == {
        "train": {"a": {"rows": 2, "users": 1}, "b": {"rows": 1, "users": 1}},
        "test": {"a": {"rows": 1, "users": 1}, "b": {"rows": 0, "users": 0}},
    }


def test_outside(module):
    outside = module("quality").outside
    assert outside(np.array([[-1.0, 0.5], [2.0, 1.0]])) == {"below": 0.25, "above": 0.25}
    assert outside(np.empty((0, 3))) == {"below": 0.0, "above": 0.0}


def test_the_file(module, tmp_path):
    module("quality").write({"a": "ñ"}, tmp_path / "deep")
    assert json.loads((tmp_path / "deep/quality.json").read_text(encoding="utf-8")) == {"a": "ñ"}
