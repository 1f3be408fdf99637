"""A checkpoint is read back as it was, or not at all."""

from __future__ import annotations

import dataclasses

import pytest


@pytest.fixture
def checkpoints(module):
    return module("checkpoints")


@pytest.fixture
def progress(module, checkpoints):
    states = module("state")
    shape = module("architecture").Architecture(6, 4)
    entry = {"Iteration": 500, "Generator_Loss": 0.25, "gradients": {"real": {"body.0.bias": float("nan")}}}
    return checkpoints.Progress(
        700, states.first_state(shape, [1]), states.first_state(shape, [2]), entry, [entry], [{"rule": "x"}]
    )


@pytest.fixture
def spec(module):
    hyperparameters = module("hyperparameters")
    return hyperparameters.ModelSpec("fold_1", 1, hyperparameters.Options())


def same(one, other):
    return all(a.dtype == b.dtype and (a == b).all() for a, b in zip(one, other, strict=True))


def test_a_round_trip(checkpoints, progress, tmp_path):
    path = tmp_path / "fold_1.npz"
    checkpoints.save(path, progress, "abc")
    loaded = checkpoints.load(path, "abc")
    assert same(loaded.state, progress.state) and same(loaded.best, progress.best)
    assert (loaded.step, loaded.findings, loaded.history[0]["Iteration"]) == (700, [{"rule": "x"}], 500)
    assert loaded.best_entry["Generator_Loss"] == 0.25
    checkpoints.save(path, dataclasses.replace(progress, best=None, best_entry=None), "abc")
    assert checkpoints.load(path, "abc").best is None


def test_what_is_not_there_damaged_or_of_something_else_is_not_used(checkpoints, progress, tmp_path, capsys):
    path = tmp_path / "fold_1.npz"
    assert checkpoints.load(path, "abc") is None
    checkpoints.save(path, progress, "abc")
    assert checkpoints.load(path, "abd") is None
    assert "has other data, options or code" in capsys.readouterr().out
    whole = path.read_bytes()
    for content in (b"", whole[:-200], whole[:900] + bytes(50) + whole[950:]):
        path.write_bytes(content)
        assert checkpoints.load(path, "abc") is None
        assert "checkpoint fold_1.npz is damaged, training from the start" in capsys.readouterr().out


def test_leftovers_of_a_killed_writer_go(checkpoints, progress, tmp_path):
    leftover, other = tmp_path / ".fold_1.npz.77.tmp", tmp_path / ".fold_2.npz.77.tmp"
    for path in (leftover, other):
        path.write_bytes(b"half")
    checkpoints.save(tmp_path / "fold_1.npz", progress, "abc")
    assert checkpoints.load(tmp_path / "fold_1.npz", "abc") and not leftover.exists() and other.exists()


def test_the_fingerprint_is_of_all_that_a_model_is_made_from(checkpoints, spec, monkeypatch):
    first = checkpoints.fingerprint(spec, 500, "data", "2.21")
    assert first == checkpoints.fingerprint(spec, 500, "data", "2.21")
    longer = dataclasses.replace(spec, options=dataclasses.replace(spec.options, steps=6000))
    others = [
        checkpoints.fingerprint(longer, 500, "data", "2.21"),
        checkpoints.fingerprint(spec, 400, "data", "2.21"),
        checkpoints.fingerprint(spec, 500, "other", "2.21"),
        checkpoints.fingerprint(spec, 500, "data", "2.22"),
    ]
    monkeypatch.setattr(checkpoints, "CODE", checkpoints.CODE[1:])
    others.append(checkpoints.fingerprint(spec, 500, "data", "2.21"))
    assert len({first, *others}) == 6


def test_all_code_that_decides_weights_is_in_it(checkpoints, module):
    """What the loop and the fitting import is listed, but for what only reads, writes and tells."""
    import ast
    from pathlib import Path

    here = Path(checkpoints.__file__).parent
    found, ahead = set(), {"fitting"}
    while ahead:
        name = ahead.pop()
        found.add(name)
        for node in ast.walk(ast.parse((here / f"{name}.py").read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ahead |= {n for n in names if n and (here / f"{n}.py").exists()} - found
    bystanders = {"arguments", "checkpoints", "gradient_health", "hyperparameters", "measures", "model_files",
                  "model_archives", "tensor", "training_data"}  # fmt: skip
    assert found - bystanders == set(checkpoints.CODE)
