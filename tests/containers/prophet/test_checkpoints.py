"""Only whole archives that were made from the same data, options and code are kept."""

from __future__ import annotations

import pytest

from trainyard.in_image.archives import write_archive

NAME = "a%2Fb.tar.gz"


@pytest.fixture
def folders(tmp_path):
    """One for checkpoints and one for models."""
    found = (tmp_path / "checkpoints", tmp_path / "models")
    for folder in found:
        folder.mkdir()
    return found


@pytest.fixture
def checkpoint(module, make_model, folders):
    """Write a checkpoint."""

    def write(fingerprint="abc"):
        made = module("engine").Provenance("a/b", fingerprint, "engine 1", {}, 1.5, None)
        write_archive(folders[0] / NAME, {"model.json": module("engine").save(make_model(made))})
        return folders[0] / NAME

    return write


def test_what_is_whole_and_the_same_is_copied(module, folders, checkpoint):
    written = checkpoint()
    model = module("checkpoints").reuse(folders, NAME, "abc")
    assert (model.provenance.customer, model.provenance.mae, model.parameters.rows) == ("a/b", 1.5, 731)
    assert (folders[1] / NAME).read_bytes() == written.read_bytes()
    assert len(list(folders[1].iterdir())) == 1
    assert module("checkpoints").reuse(folders[:1], NAME, "abc") is not None


def test_nothing_there(module, folders, capsys):
    assert module("checkpoints").reuse(folders, NAME, "abc") is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda write: write("other"), "has other data or hyperparameters"),
        (lambda write: cut(write(), 1), "damaged, fitting it again"),
        (lambda write: cut(write(), 60), "damaged, fitting it again"),
        (lambda write: write().write_bytes(b""), "damaged, fitting it again"),
        (lambda write: write_archive(write(), {"other.json": b"{}"}), "no model.json"),
        (lambda write: write_archive(write(), {"model.json": b"{}"}), "not a model of this"),
    ],
    ids=("foreign", "cut", "half", "empty", "no model", "odd model"),
)
def test_what_cannot_be_kept_is_said(module, folders, checkpoint, capsys, spoil, said):
    spoil(checkpoint)
    assert module("checkpoints").reuse(folders, NAME, "abc") is None
    assert said in capsys.readouterr().out
    assert not (folders[1] / NAME).exists()


def test_a_model_of_unknown_origin_is_fitted_again(module, folders, make_model, capsys):
    write_archive(folders[0] / NAME, {"model.json": module("engine").save(make_model())})
    assert module("checkpoints").reuse(folders, NAME, "abc") is None
    assert "does not say what it was made from" in capsys.readouterr().out


def cut(path, size):
    path.write_bytes(path.read_bytes()[:-size])


def test_leftovers_of_these_customers_are_removed(module, folders):
    for name in (f".{NAME}.12.tmp", ".other.tar.gz.12.tmp", "other.tmp", NAME):
        for folder in folders:
            (folder / name).touch()
    module("checkpoints").clear(folders, {NAME})
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == [".other.tar.gz.12.tmp", NAME, "other.tmp"]


def test_without_a_checkpoint_folder_there_is_one_archive(module, folders, tmp_path):
    checkpoints = module("checkpoints")
    assert checkpoints.folders(*folders) == folders
    assert checkpoints.folders(tmp_path / "absent", folders[1]) == folders[1:]


def test_the_fingerprint_sees_data_options_and_engine(module):
    fingerprint, options = module("checkpoints").fingerprint, module("engine").Options
    found = [
        fingerprint(b"1", options(), "engine 1"),
        fingerprint(b"2", options(), "engine 1"),
        fingerprint(b"1", options(seed=1), "engine 1"),
        fingerprint(b"1", options(), "engine 2"),
    ]
    assert len(set(found)) == 4 and {len(one) for one in found} == {32}
    assert found[0] == fingerprint(b"1", options(), "engine 1")
