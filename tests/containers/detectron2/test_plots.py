"""Plots are PNG files that matplotlib makes of any names and of nothing at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from PIL import Image

from trainyard import families

FAMILY = families.repository_root() / "containers" / "detectron2"
CODE = """
import importlib, sys
from pathlib import Path
import dataset, plots
from scenes import found, image, split

module = importlib.import_module
boxes = [(0, 10, 10, 20, 20), (1, 50, 50, 9, 9)]
pairs = [(image(dataset, 1, *boxes), found((10, 10, 30, 30, 0.9, 0), (70, 70, 80, 80, 1.0, 1)))]
odd = ("$x_{$", "new\\nline " + "x" * 99)
few = [split(module, pairs, odd), split(module, [], odd, name="training", ap=None)]
plots.write(Path("few"), few)
plots.write(Path("many"), [split(module, pairs, tuple(map(str, range(100))))])
plots.write(Path("none"), [split(module, [], ap=None)])
"""


def test_plots(family_python, environment, tmp_path):
    (tmp_path / "draw.py").write_text(CODE)
    paths = os.pathsep.join(map(str, (FAMILY, Path(__file__).parent)))
    ran = subprocess.run(
        [str(family_python), "draw.py"], env=environment(tmp_path, PYTHONPATH=paths), cwd=tmp_path,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    names = {"precision_recall.png", "ap_by_class.png", "ap_by_size.png", "scores.png"}
    assert {path.name for path in (tmp_path / "few").iterdir()} == names | {"confusion.png"}
    assert {path.name for path in (tmp_path / "many").iterdir()} == names
    for path in tmp_path.glob("*/*.png"):
        with Image.open(path) as picture:
            assert picture.size == (768, 576) and len(picture.convert("L").getcolors()) > 20
