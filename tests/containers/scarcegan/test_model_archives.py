"""A training job's archives: each model alone, all together, always the same bytes, and damaged ones refused."""

from __future__ import annotations

import numpy as np
import pytest

from trainyard.in_image.archives import extract_archive, read_archive, write_archive

ROWS = np.random.default_rng(1).random((50, 3)).astype(np.float32)


@pytest.fixture
def archives(module):
    return module("model_archives")


@pytest.fixture
def models(module):
    shape = module("architecture").Architecture(3, 4)
    details = {
        "format": 1, "classes": ["dormant", "normal", "heavy", "risky"], "risky": 3, "columns": ["a", "b", "c"],
        "leeway": True, "layers": 3, "scaler": {}, "threshold": {"value": 0.25},
    }  # fmt: skip
    return [
        module("model_files").Model(
            module("architecture").first_weights(shape, np.random.default_rng(seed)), details | {"name": name}
        )
        for seed, name in enumerate(("b", "a"))
    ]


def answers(models):
    return [(model.name, model.scores(ROWS).tolist()) for model in models]


def test_each_is_a_model_and_all_are_one(archives, models, tmp_path):
    archives.save(tmp_path / "model", models)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "a.tar.gz", "b.tar.gz", "mean.tar.gz",
    ]  # fmt: skip
    assert set(read_archive(tmp_path / "model/a.tar.gz")) == {"model.json", "weights.npz"}
    for name in ("a", "b", "mean"):
        extract_archive(tmp_path / f"model/{name}.tar.gz", tmp_path / name)
    assert answers(archives.load(tmp_path / "a")) == answers(models[1:])
    assert answers(archives.load(tmp_path / "b")) == answers(models[:1])
    assert answers(archives.load(tmp_path / "mean")) == answers(models), "in their order"
    assert answers(archives.load(tmp_path / "model")) == answers(models)


def test_the_same_models_give_the_same_bytes(archives, models, tmp_path):
    for name in ("first", "second"):
        archives.save(tmp_path / name, models)
        archives.save(tmp_path / name, models)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def half(folder):
    (folder / "mean.tar.gz").write_bytes((folder / "mean.tar.gz").read_bytes()[:-50])


def outside(folder):
    write_archive(folder / "mean.tar.gz", {"../ensemble.json": b"{}"})


def lacking(folder):
    files = read_archive(folder / "mean.tar.gz")
    del files["models/a/weights.npz"]
    write_archive(folder / "mean.tar.gz", files)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (half, "mean.tar.gz: not a whole .tar.gz"),
        (outside, "would be written outside the folder"),
        (lacking, "a/weights.npz: cannot be read"),
        (lambda folder: (folder / "mean.tar.gz").unlink(), "ensemble.json: cannot be read"),
    ],
)
def test_what_is_wrong_is_told(archives, models, module, tmp_path, damage, message):
    archives.save(tmp_path, models)
    damage(tmp_path)
    with pytest.raises(module("model_files").BadModel, match=message):
        archives.load(tmp_path)
