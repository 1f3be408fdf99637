"""Only whole archives that were made from the same data, options and code are kept."""

from __future__ import annotations

import pytest

from trainyard.in_image.archives import write_archive


@pytest.fixture
def checkpoint(module, make_model):
    """Write a task's checkpoint."""

    def write(task, fingerprint=None):
        made = module("engine").Provenance("a/b", fingerprint or task.fingerprint, "engine 1", {}, 1.5, None)
        content = module("engine").save(make_model(made))
        write_archive(task.archives[0], {"model.json": content})

    return write


@pytest.fixture
def task(module, tmp_path, monkeypatch):
    """The only task: customer a/b, with a folder for checkpoints and one for models."""
    checkpoints, engine = module("checkpoints"), module("engine")
    monkeypatch.setattr(engine, "identity", lambda: "engine 1")
    data = tmp_path / "a%2Fb.csv"
    data.write_text("ds,y\n2024-01-01,1\n")
    for name in ("checkpoints", "models"):
        (tmp_path / name).mkdir()
    (task,) = checkpoints.tasks([data], tmp_path / "checkpoints", tmp_path / "models", engine.Options())
    return task


def test_what_is_whole_and_the_same_is_copied(module, task, checkpoint):
    checkpoint(task)
    outcome = module("checkpoints").reuse(task)
    assert outcome == module("fitting").Outcome("a/b", "a%2Fb.csv", "reused", rows=731, mae=1.5)
    assert [archive.name for archive in task.archives] == ["a%2Fb.tar.gz"] * 2
    assert task.archives[1].read_bytes() == task.archives[0].read_bytes()
    assert len(list(task.archives[1].parent.iterdir())) == 1


def test_nothing_there(module, task, capsys):
    assert module("checkpoints").reuse(task) is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda task, write: write(task, "other"), "has other data or hyperparameters"),
        (lambda task, write: (write(task), cut(task.archives[0], 1)), "damaged, fitting it again"),
        (lambda task, write: (write(task), cut(task.archives[0], 60)), "damaged, fitting it again"),
        (lambda task, write: task.archives[0].write_bytes(b""), "damaged, fitting it again"),
        (lambda task, write: write_archive(task.archives[0], {"other.json": b"{}"}), "no model.json"),
        (lambda task, write: write_archive(task.archives[0], {"model.json": b"{}"}), "not a model of this"),
    ],
    ids=("foreign", "cut", "half", "empty", "no model", "odd model"),
)
def test_what_cannot_be_kept_is_said(module, task, checkpoint, capsys, spoil, said):
    spoil(task, checkpoint)
    assert module("checkpoints").reuse(task) is None
    assert said in capsys.readouterr().out
    assert not task.archives[1].exists()


def test_a_model_of_unknown_origin_is_fitted_again(module, task, make_model, capsys):
    write_archive(task.archives[0], {"model.json": module("engine").save(make_model())})
    assert module("checkpoints").reuse(task) is None
    assert "does not say what it was made from" in capsys.readouterr().out


def cut(path, size):
    path.write_bytes(path.read_bytes()[:-size])


def test_leftovers_of_this_customer_are_removed(module, task):
    folder = task.archives[0].parent
    for name in (".a%2Fb.tar.gz.12.tmp", ".other.tar.gz.12.tmp"):
        (folder / name).touch()
    module("checkpoints").reuse(task)
    assert [path.name for path in folder.iterdir()] == [".other.tar.gz.12.tmp"]


def test_without_a_checkpoint_folder_there_is_one_archive(module, task, tmp_path):
    checkpoints = module("checkpoints")
    options = module("engine").Options()
    (other,) = checkpoints.tasks([task.data], tmp_path / "absent", tmp_path / "models", options)
    assert other.archives == (tmp_path / "models" / "a%2Fb.tar.gz",)


def test_the_fingerprint_sees_data_options_and_engine(module, task, tmp_path):
    fingerprint, options = module("checkpoints").fingerprint, module("engine").Options
    other = tmp_path / "other.csv"
    other.write_text("ds,y\n2024-01-01,2\n")
    found = [
        fingerprint(task.data, options(), "engine 1"),
        fingerprint(other, options(), "engine 1"),
        fingerprint(task.data, options(seed=1), "engine 1"),
        fingerprint(task.data, options(), "engine 2"),
    ]
    assert len(set(found)) == 4
    assert found[0] == fingerprint(task.data, options(), "engine 1") == task.fingerprint
