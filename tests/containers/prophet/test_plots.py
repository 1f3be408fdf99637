"""The plots are PNG files of a readable size, whatever the customers are called."""

from __future__ import annotations

import struct


def test_plots_of_a_real_run(trained):
    folder = trained / "processing/evaluation/plots"
    assert {path.name for path in folder.iterdir()} == {
        "mase.png",
        *(f"customer_{number}.png" for number in range(3)),
    }
    for path in folder.iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", content[16:24])
        assert (width, height) == (960, 432)


def test_titles(module):
    plain = module("plots")._plain
    assert plain("a $x^2$\nb") == r"a \$x^2\$ b"
    assert len(plain("x" * 100)) == 58
