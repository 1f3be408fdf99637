"""The registry's last versions beside this run: what got better, by each metric's own direction."""

from __future__ import annotations

import json

import pytest


def listed(tmp_path, content):
    (tmp_path / "registered.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path


def numbers(comparing, **more):
    return dict.fromkeys(comparing.METRICS, 0.5) | more


def test_side_by_side(module, tmp_path):
    comparing = module("comparing")
    before = {
        "recall": "0.4",
        "unknown_share": 0.6,
        "precision": 0.7,
        "f1": 0.5,
        "auc": "NaN",
        "digest": "abc",
    }
    folder = listed(
        tmp_path,
        [
            {"model": "fold_0", "version": 1, "metrics": {"recall": 0.9}},
            {"model": "fold_0", "version": 2, "status": "Approved", "metrics": before},
        ],
    )
    now = {"fold_0": numbers(comparing), "fold_1": numbers(comparing)}
    pairs = comparing.side_by_side(now, comparing.read(folder))
    assert [pair.model for pair in pairs] == ["fold_0"] * 7 + ["fold_1"] * 7
    found = {pair.metric: pair for pair in pairs[:7]}
    assert (found["recall"].version, found["recall"].status) == ("2", "Approved")
    assert found["recall"].change == pytest.approx(0.1) and found["recall"].is_better
    assert found["unknown_share"].is_better, "less is better"
    assert found["precision"].is_better is False
    assert (found["f1"].change, found["f1"].is_better) == (0.0, None)
    assert (found["auc"].before, found["auc"].change) == (None, None), "a registry that has no such number"
    assert {pair.before for pair in pairs[7:]} == {None}
    assert comparing.as_json(pairs)[0] == {
        "model": "fold_0", "version": "2", "status": "Approved", "metric": "recall",
        "before": 0.4, "now": 0.5, "change": pytest.approx(0.1), "better": True,
    }  # fmt: skip


def test_nothing_registered(module, tmp_path):
    comparing = module("comparing")
    assert comparing.read(tmp_path) == comparing.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    "content", ["{", "5", '["a"]', '[{"model": "a"}]', '[{"model": "a", "version": 1, "metrics": 3}]']
)
def test_no_list_of_versions(module, tmp_path, content):
    comparing = module("comparing")
    with pytest.raises(
        comparing.BadRegistered, match=r'registered.json is no list .* \{"model": NAME, "version"'
    ):
        comparing.read(listed(tmp_path, content))
