"""The plots are PNG files of a readable size, whatever the models are called."""

from __future__ import annotations

import struct

import numpy as np


def test_plots(module, tmp_path):
    generator = np.random.default_rng(0)
    actual = generator.integers(0, 4, 100)
    models = [
        module("judging").Answers(
            name, ("a", "$b^", "c", "risky"), 3, 0.5, generator.random(100), actual, actual
        )
        for name in ("$x^2$\n_", "mean")
    ]
    module("plots").write(tmp_path / "deep", models)
    names = {path.name for path in (tmp_path / "deep").iterdir()}
    assert names == {"precision_recall.png", "roc.png", "calibration.png", "scores.png", "confusion.png"}
    for path in (tmp_path / "deep").iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", content[16:24]) == (768, 576)


def test_names(module):
    plain = module("plots")._plain
    assert plain("a $x^2$\nb") == r"a \$x^2\$ b"
    assert len(plain("x" * 100)) == 38
