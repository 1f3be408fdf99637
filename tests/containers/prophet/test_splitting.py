"""The files that training reads: exact numbers, short dates, names that cannot do harm."""

from __future__ import annotations

import json

import numpy as np
import pytest


def cleaned(module, ds, y, starts, splits, ends):
    order = np.arange(len(starts))
    bounds = (np.array(bound) for bound in (starts, splits, ends))
    return module("cleaning").Clean(
        np.array(ds, "datetime64[us]"), np.array(y, float), order, *bounds, {"gone": 1}, 86_400.0
    )


@pytest.mark.parametrize(
    ("ds", "line"),
    [
        (["2024-01-01", "2024-01-02"], "2024-01-01,0.1"),
        (["2024-01-01", "2024-01-02T03:00"], "2024-01-01 00:00:00,0.1"),
        (["2024-01-01", "2024-01-02T00:00:00.5"], "2024-01-01 00:00:00.000000,0.1"),
    ],
)
def test_dates_are_as_short_as_they_can_be(module, tmp_path, ds, line):
    module("splitting").write(
        cleaned(module, ds, [0.1, 2], [0], [2], [2]), ["a"], tmp_path / "l", tmp_path / "t"
    )
    assert (tmp_path / "l/a.csv").read_text().splitlines()[:2] == ["ds,y", line]
    assert list((tmp_path / "t").iterdir()) == []


def test_every_customer_gets_its_own_rows_back(module, tmp_path):
    names = ["a", "../b", "long" * 60, 'quote"\n' * 40]
    generator = np.random.default_rng(0)
    y = np.concatenate(
        [generator.normal(size=17) * 10.0 ** generator.integers(-12, 12, 17), [1 / 3, 0, -1e300]]
    )
    ds = np.datetime64("2024-01-01T10:00", "us") + np.arange(20) * np.timedelta64(1, "h")
    clean = cleaned(module, ds, y, [0, 5, 10, 15], [3, 8, 15, 18], [5, 10, 15, 20])
    module("splitting").write(clean, names, tmp_path / "train", tmp_path / "test")
    customers = module("customers")
    assert len(customers.files(tmp_path / "train")) == 4
    assert len(customers.files(tmp_path / "test")) == 3
    for index, name in enumerate(names):
        stem = f"{customers.file_stem(name)}.csv"
        parts = [customers.read_series(tmp_path / "train" / stem)]
        if (tmp_path / "test" / stem).exists():
            parts.append(customers.read_series(tmp_path / "test" / stem))
        assert {part.customer for part in parts} == {name}
        rows = slice(clean.starts[index], clean.ends[index])
        assert np.concatenate([part.y for part in parts]).tolist() == y[rows].tolist()
        assert np.concatenate([part.ds for part in parts]).tolist() == ds[rows].tolist()


def test_summary(module):
    clean = cleaned(
        module, np.arange(9).astype("datetime64[D]"), [5] * 4 + [1, 2, 3, 4, 5], [0, 4], [4, 7], [4, 9]
    )
    summary = module("splitting").summary(clean, ["flat", "b", "gone"])
    assert json.loads(json.dumps(summary)) == summary
    assert summary["rows"] == {"train": 7, "test": 2}
    assert summary["customers"] == {"read": 3, "train": 2, "test": 1}
    assert summary["constant"] == ["flat"]
    assert [entry["customer"] for entry in summary["not_evaluated"]] == ["flat"]
    assert summary["excluded"] == [
        {"customer": "gone", "rows": 1, "reason": "fewer usable readings than min-rows"}
    ]
