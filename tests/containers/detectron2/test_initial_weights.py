"""Weights to begin with are data; what fits is taken, and what does not is told."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def weights(module):
    return module("initial_weights")


def test_one_file_of_the_channel_is_taken(weights, tmp_path):
    assert weights.find(None, False) is None and weights.digest(None) == ""
    (tmp_path / "README.md").write_text("not weights")
    with pytest.raises(
        weights.BadWeights, match=r"must hold one file \(.safetensors, .pth, .pkl\), it has: none"
    ):
        weights.find(tmp_path, False)
    (tmp_path / "a.pth").write_bytes(b"a")
    assert weights.find(tmp_path, False) == tmp_path / "a.pth"
    assert weights.digest(tmp_path / "a.pth").startswith("ca978112ca1b")
    (tmp_path / "b.safetensors").write_bytes(b"b")
    with pytest.raises(weights.BadWeights, match=r"it has: a\.pth, b\.safetensors"):
        weights.find(tmp_path, False)


def test_a_pickle_must_be_asked_for(weights, tmp_path):
    (tmp_path / "zoo.pkl").write_bytes(b"x")
    with pytest.raises(
        weights.BadWeights, match=r"is a pickle, which runs any code .* or set allow_pickle=true"
    ):
        weights.find(tmp_path, False)
    assert weights.find(tmp_path, True) == tmp_path / "zoo.pkl"


def test_every_kind_is_read_and_what_is_more_than_weights_is_not(snippet, tmp_path):
    text = snippet(Path(__file__).with_name("kinds_of_weights.py").read_text(), tmp_path)
    assert "WARNING: w.pkl is a pickle" in text and not (tmp_path / "ran").exists()
