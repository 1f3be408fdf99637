"""The scaler: fitted rows fill 0 to 1, others may lie outside, and its file gives the same scaler back."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def scaler(module):
    values = np.array([[0.0, -5.0, 3.0], [99.0, 5.0, 3.0], [9.0, 0.0, 3.0]])
    return module("scaling").fit(values, ["a", "b", "c"], "log1p", ["games"])


def test_range(scaler):
    scaled = scaler(np.array([[0.0, -5.0, 3.0], [99.0, 5.0, 3.0], [9.0, 0.0, 3.0], [9999.0, -99.0, 4.0]]))
    assert scaled.dtype == np.float32
    assert scaled[:2, :2].tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(scaled[2], [0.5, 0.5, 0], atol=1e-6)
    assert scaled[3, 0] > 1 and scaled[3, 1] < 0 and np.isfinite(scaled).all()


def test_without_logarithm(module):
    scaler = module("scaling").fit(np.array([[0.0], [10.0]]), ["a"], "none")
    assert scaler(np.array([[2.5], [20.0]])).tolist() == [[0.25], [2.0]]


def test_the_file_gives_it_back(module, scaler, tmp_path):
    scaling = module("scaling")
    scaling.save(scaler, tmp_path / "deep/scaler.json")
    again = scaling.load(tmp_path / "deep/scaler.json")
    assert again.as_json() == scaler.as_json()
    assert (again.columns, again.counters, again.transform) == (("a", "b", "c"), ("games",), "log1p")
    values = np.random.default_rng(0).normal(size=(50, 3)) * 1e5
    assert (again(values) == scaler(values)).all()


def test_columns_in_another_order(module, scaler):
    values = np.array([[3.0, 7.0, 9.0, -5.0]])
    assert scaler.pick(values, ["c", "else", "a", "b"]).tolist() == [[9.0, -5.0, 3.0]]
    with pytest.raises(module("scaling").BadScaler, match="no column 'b', 'c' among 'a'"):
        scaler.pick(values[:, :1], ["a"])
    with pytest.raises(module("scaling").BadScaler, match=r"\(1, 4\), but there are 3 columns"):
        scaler(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"transform": "sqrt"}, "transform 'sqrt'; known: 1, log1p, none"),
        ({"minimum": [1.0]}, "no scaler: 3 columns"),
        ({"maximum": [1.0, float("nan"), 2.0]}, "no scaler"),
        ({"minimum": None}, "no scaler"),
    ],
)
def test_no_scaler(module, scaler, tmp_path, change, message):
    scaling, file = module("scaling"), tmp_path / "scaler.json"
    file.write_text(json.dumps(scaler.as_json() | change))
    with pytest.raises(scaling.BadScaler, match=message):
        scaling.load(file)


def test_no_file(module, tmp_path):
    scaling = module("scaling")
    with pytest.raises(scaling.BadScaler, match="cannot be read"):
        scaling.load(tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(scaling.BadScaler, match="no scaler"):
        scaling.load(tmp_path / "list.json")
