"""Channels are read as they were written; whatever cannot be trained on is refused, by name, before training."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

_spec = importlib.util.spec_from_file_location("job_folder", Path(__file__).parent / "job_folder.py")
job_folder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(job_folder)
change, change_meta = job_folder.change, job_folder.change_meta


@pytest.fixture
def training_data(module):
    return module("training_data")


@pytest.fixture
def base(tmp_path):
    return job_folder.make(tmp_path)


@pytest.fixture
def read(training_data, base):
    def read():
        names = training_data.CHANNELS + training_data.VALIDATION
        folders = {name: base / "input/data" / name for name in names}
        optional = training_data.VALIDATION
        return training_data.read({n: p for n, p in folders.items() if n not in optional or p.is_dir()})

    return read


def test_a_fold_is_kept_apart(read):
    data = read()
    assert (
        data.columns == [f"f{n}" for n in range(6)] and data.classes == job_folder.CLASSES and data.risky == 3
    )
    seen = []
    for fold in range(4):
        part = data.part(fold)
        assert len(part.features) + len(part.held_out) == 250 and len(part.unlabelled) == 750
        assert set(part.held_out_labels.tolist()) == {0, 1, 2, 3}
        rows = {row.tobytes() for row in part.features}
        assert not rows & {row.tobytes() for row in part.held_out}
        assert not {row.tobytes() for row in part.unlabelled} & {
            row.tobytes() for row in data.unlabelled[fold::4]
        }
        assert all(data.labels[data.features.tolist().index(row.tolist())] == label
                   for row, label in zip(part.held_out, part.held_out_labels, strict=True))  # fmt: skip
        seen += data.folds[fold].tolist()
    assert sorted(seen) == list(range(250))


def test_without_a_fold_all_rows_are_learned_and_validation_judges(read, base):
    for channel, copy in (("train_data", "val_data"), ("train_label", "val_label")):
        shutil.copytree(base / "input/data" / channel, base / "input/data" / copy)
    change(base, "val_data", "data", lambda rows: rows[:90])
    change(base, "val_label", "label", lambda labels: labels[:90])
    data = read()
    part = data.part(None)
    assert len(part.features) == 250 and len(part.unlabelled) == 1000
    assert (part.held_out == data.features[:90]).all() and (part.held_out_labels == data.labels[:90]).all()


def test_the_digest_is_of_everything(read, base):
    first = read().digest()
    assert read().digest() == first
    change(base, "unlabeled_data", "data", lambda rows: np.concatenate([rows[:-1], rows[:1]]))
    second = read().digest()
    change_meta(base, "scaler", transform="log1p")
    assert len({first, second, read().digest()}) == 3


def nan(rows):
    rows[[7, 9], [2, 3]] = np.nan, np.inf
    return rows


def constant(rows):
    rows[:, [1, 4]] = 0.5
    return rows


def strange_label(labels):
    labels[3] = 4
    return labels


def three_risky(base):
    """Of the risky rows only three are left, though there are four folds."""
    labels = np.load(base / "input/data/train_label/label.npy")
    labels[np.flatnonzero(labels == 3)[3:]] = 0
    np.save(base / "input/data/train_label/label.npy", labels)


def both_constant(base):
    for channel in ("train_data", "unlabeled_data"):
        change(base, channel, "data", constant)


CASES = {
    "missing folder": (lambda base: shutil.rmtree(base / "input/data/unlabeled_data"),
                       "channel unlabeled_data is missing: there is no folder"),
    "missing file": (lambda base: (base / "input/data/train_label/label.npy").unlink(),
                     "train_label: label.npy cannot be read"),
    "no folds": (lambda base: shutil.rmtree(base / "input/data/kfold_data"), "channel kfold_data is missing"),
    "NaN": (lambda base: change(base, "train_data", "data", nan),
            "train_data: NaN or infinite values in f2, f3, first in row 7"),
    "NaN unlabelled": (lambda base: change(base, "unlabeled_data", "data", nan), "unlabeled_data: NaN"),
    "text": (lambda base: change(base, "train_data", "data", lambda rows: rows.astype(str)),
             "train_data: data.npy holds <U"),
    "pickle": (lambda base: change(base, "train_data", "data", lambda rows: rows.astype(object)),
               "train_data: data.npy cannot be read (Object arrays cannot be loaded"),
    "columns": (lambda base: change_meta(base, "unlabeled_data", columns=["f0", "f1", "f2", "f3", "f4", "x"]),
                "unlabeled_data: other columns than train_data: lacks f5; has besides x"),
    "order": (lambda base: change_meta(base, "unlabeled_data", columns=["f1", "f0", "f2", "f3", "f4", "f5"]),
              "other columns than train_data: another order"),
    "scaler": (lambda base: change_meta(base, "scaler", columns=["f0"]), "scaler: other columns"),
    "width": (lambda base: change(base, "train_data", "data", lambda rows: rows[:, :4]),
              "train_data: data.npy has shape (250, 4), meta.json names 6 columns"),
    "classes": (lambda base: change_meta(base, "train_data", classes=["a", "b", "c", "d"]),
                "needs different ones, one of them 'risky'"),
    "labels": (lambda base: change(base, "train_label", "label", strange_label),
               "train_label: label.npy holds [4], classes are 0 to 3"),
    "fractions": (lambda base: change(base, "train_label", "label", lambda labels: labels / 2),
                  "train_label: label.npy is float64 (250,), needs whole numbers"),
    "too few labels": (lambda base: change(base, "train_label", "label", lambda labels: labels[1:]),
                       "label.npy is int32 (249,), needs whole numbers (250,)"),
    "three rows": (three_risky, "class risky has 3 labelled rows, 4 folds need at least 4"),
    "constant": (both_constant, "features that never change teach nothing, leave them out: f1, f4"),
    "overlap": (lambda base: change(base, "kfold_data", "fold_0", lambda rows: np.append(rows, rows[0])),
                "kfold_data: folds hold 251 row numbers, must hold each of 0 to 249 once"),
    "fewer folds": (lambda base: shutil.copy(base / "input/data/unlabeled_kfold_data/fold_0.npy",
                                             base / "input/data/unlabeled_kfold_data/fold_4.npy"),
                    "unlabeled_kfold_data: folds hold 1250 row numbers"),
    "meta": (lambda base: (base / "input/data/train_data/meta.json").write_text("{"), "meta.json cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_refused(training_data, read, base, case):
    damage, message = CASES[case]
    damage(base)
    with pytest.raises(training_data.BadData) as error:
        read()
    assert message in str(error.value)


def test_a_fold_without_a_class_is_refused(training_data, read, base):
    labels = np.load(base / "input/data/train_label/label.npy")
    order = np.concatenate([np.flatnonzero(labels == 3), np.flatnonzero(labels != 3)])
    for fold, rows in enumerate(np.array_split(order, 4)):
        np.save(base / f"input/data/kfold_data/fold_{fold}.npy", rows)
    with pytest.raises(training_data.BadData, match="fold 0 has 40 of the 40 rows of class risky"):
        read()
