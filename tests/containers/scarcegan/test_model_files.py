"""Models are stored without pickle, read back to the same answers, and refused when something is wrong with them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest


@pytest.fixture
def files(module):
    return module("model_files")


@pytest.fixture
def make(module, files):
    architecture = module("architecture")

    def make(name="fold_0", seed=0, **more):
        shape = architecture.Architecture(3, 4)
        details = {
            "format": 1, "name": name, "classes": ["dormant", "normal", "heavy", "risky"], "risky": 3,
            "columns": ["a", "b", "c"], "leeway": True, "layers": 3, "scaler": {},
            "threshold": {"value": 0.25, "rule": "recall_at_precision:0.5"},
        }  # fmt: skip
        return files.Model(architecture.first_weights(shape, np.random.default_rng(seed)), details | more)

    return make


ROWS = np.random.default_rng(1).random((500, 3)).astype(np.float32)


def test_the_same_answers_after_a_round_trip(files, make, tmp_path):
    model = make()
    model.save(tmp_path / "models/fold_0")
    assert sorted(path.name for path in (tmp_path / "models/fold_0").iterdir()) == [
        "model.json",
        "weights.npz",
    ]
    loaded = files.Model.load(tmp_path / "models/fold_0")
    assert loaded.details == model.details
    probabilities = loaded.probabilities(ROWS)
    assert probabilities.shape == (500, 5) and np.allclose(probabilities.sum(axis=1), 1)
    assert (loaded.scores(ROWS) == model.scores(ROWS)).all() and (
        loaded.scores(ROWS) == probabilities[:, 3]
    ).all()
    assert (loaded.classes(ROWS) == probabilities.argmax(axis=1)).all()
    assert (loaded.flags(ROWS) == (probabilities[:, 3] >= 0.25)).all() and 0 < loaded.flags(ROWS).sum() < 500
    with zipfile.ZipFile(tmp_path / "models/fold_0/weights.npz") as stored:
        assert not any(b"pickle" in stored.read(name) for name in stored.namelist())
        assert {info.extract_version for info in stored.infolist()} == {20}, "it depends on Python's version"


def test_many_rows_are_answered_in_parts_as_few_are(files, make, monkeypatch):
    model = make()
    at_once = model.scores(ROWS)
    monkeypatch.setattr(files, "_CHUNK", 64)
    assert np.allclose(model.scores(ROWS), at_once, atol=1e-7)
    assert model.scores(ROWS[:0]).shape == (0,)


@pytest.mark.parametrize("rows", [np.zeros((2, 4)), np.zeros(3), np.zeros((1, 3, 1))])
def test_other_widths_are_refused(make, rows):
    with pytest.raises(ValueError, match=r"features have shape .*, fold_0 needs \[rows, 3\]"):
        make().scores(rows)


def broken_format(folder):
    (folder / "model.json").write_text('{"format": 2}')


def broken_key(folder):
    content = json.loads((folder / "model.json").read_text())
    del content["columns"]
    (folder / "model.json").write_text(json.dumps(content))


def broken_columns(folder):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"columns": ["a"]}))


def broken_classes(folder):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"classes": ["risky"]}))


def truncated(folder):
    (folder / "weights.npz").write_bytes((folder / "weights.npz").read_bytes()[:-100])


def pickled(folder):
    with np.load(folder / "weights.npz") as stored:
        weights = dict(stored)
    np.savez(folder / "weights.npz", **weights | {"supervised.bias": np.array([object()])})


def not_finite(folder):
    with np.load(folder / "weights.npz") as stored:
        weights = dict(stored)
    weights["body.1.bias"][0] = np.nan
    np.savez(folder / "weights.npz", **weights)


def torn_encoding(folder):
    with np.load(folder / "weights.npz") as stored:
        weights = dict(stored)
    np.savez(folder / "weights.npz", **weights, **{"encoding.feature": np.zeros(3, int)})


def encoding_of_others(folder):
    torn_encoding(folder)
    with np.load(folder / "weights.npz") as stored:
        weights = dict(stored) | {"encoding.low": np.zeros(3), "encoding.high": np.zeros(3)}
    np.savez(folder / "weights.npz", **weights)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (torn_encoding, "'encoding.low' is missing"),
        (encoding_of_others, "its encoding does not fit 3 columns"),
        (broken_format, "format is 2, this code reads 1"),
        (broken_key, "columns missing"),
        (broken_columns, "body.0 is not a finite layer of 1 inputs"),
        (broken_classes, "5 outputs for 1 classes and unknown"),
        (truncated, "weights.npz: cannot be read"),
        (pickled, "weights.npz: cannot be read"),
        (not_finite, "body.1 is not a finite layer"),
        (lambda folder: (folder / "model.json").unlink(), "model.json: cannot be read"),
        (lambda folder: (folder / "model.json").write_text("[]"), "is not a JSON object"),
    ],
)
def test_what_is_wrong_is_told(files, make, tmp_path, damage, message):
    make().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(files.BadModel, match=message):
        files.Model.load(tmp_path)


def test_ensembles_have_their_order_and_one_kind_of_columns(files, make, tmp_path):
    for name in ("b", "a"):
        make(name).save(tmp_path / "models" / name)
    files.save_ensemble(tmp_path, ["b", "a"])
    assert [model.name for model in files.load_ensemble(tmp_path)] == ["b", "a"]
    make("a", columns=["a", "b", "d"]).save(tmp_path / "models" / "a")
    with pytest.raises(files.BadModel, match="a and b have different columns or classes"):
        files.load_ensemble(tmp_path)
    files.save_ensemble(tmp_path, [])
    with pytest.raises(files.BadModel, match="names no models"):
        files.load_ensemble(tmp_path)


def test_numpy_is_all_that_answers_need(files, make, tmp_path):
    make().save(tmp_path / "models/fold_0")
    files.save_ensemble(tmp_path, ["fold_0"])
    code = f"""
import sys
sys.path.insert(0, {str(files.__file__).rsplit("/", 1)[0]!r})
from pathlib import Path
import numpy, model_files
model_files.load_ensemble(Path({str(tmp_path)!r}))[0].scores(numpy.zeros((2, 3)))
assert not {{"tensorflow", "keras", "pandas", "sklearn", "pickle5"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-B", "-c", code], check=True)


def test_a_failed_write_leaves_what_was_there(files, tmp_path):
    path = tmp_path / "a"
    files.write(path, b"before")
    with pytest.raises(TypeError):
        files.write(path, "text")
    assert path.read_bytes() == b"before" and [one.name for one in tmp_path.iterdir()] == ["a"]
