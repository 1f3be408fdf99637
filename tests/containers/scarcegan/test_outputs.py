"""The folders that training reads: as the names say, and without pickle."""

from __future__ import annotations

import json

import numpy as np


def test_folders(module, tmp_path):
    scaling, outputs = module("scaling"), module("outputs")
    scaler = scaling.fit(np.array([[0.0, 1.0], [2.0, 5.0]]), ["a", "b"], "none")
    sizes = {"train": 4, "validation": 1, "test": 2, "unlabeled": 3}
    made = outputs.Made(
        scaler=scaler,
        data={name: np.full((size, 2), 0.5, np.float32) for name, size in sizes.items()},
        label={name: np.arange(size, dtype=np.int32) for name, size in sizes.items()},
        users={name: [f'{name} "{number}",' for number in range(size)] for name, size in sizes.items()},
        folds=[np.array([0, 2]), np.array([1, 3])],
        unlabeled_folds=[np.array([1]), np.array([0, 2])],
    )
    outputs.write(made, tmp_path)
    files = {
        str(path.relative_to(tmp_path)): np.load(path, allow_pickle=False) for path in tmp_path.rglob("*.npy")
    }
    assert {name: (array.shape, str(array.dtype)) for name, array in files.items()} == {
        "train_output_data/data.npy": ((4, 2), "float32"),
        "train_output_label/label.npy": ((4,), "int32"),
        "val_output_data/data.npy": ((1, 2), "float32"),
        "val_output_label/label.npy": ((1,), "int32"),
        "test_output/data.npy": ((2, 2), "float32"),
        "test_output/label.npy": ((2,), "int32"),
        "unlabeled_output_data/data.npy": ((3, 2), "float32"),
        "train_kfold_output_data/fold_0.npy": ((2,), "int64"),
        "train_kfold_output_data/fold_1.npy": ((2,), "int64"),
        "unlabeled_kfold_output_data/fold_0.npy": ((1,), "int64"),
        "unlabeled_kfold_output_data/fold_1.npy": ((2,), "int64"),
    }
    for folder in {name.split("/")[0] for name in files if "label/" not in name}:
        meta = json.loads((tmp_path / folder / "meta.json").read_text())
        assert meta == {"columns": ["a", "b"], "classes": ["dormant", "normal", "heavy", "risky"]}
    assert scaling.load(tmp_path / "scaler_output/scaler.json").as_json() == scaler.as_json()
    assert (tmp_path / "test_output/users.csv").read_text() == 'user\n"test ""0"","\n"test ""1"","\n'
    assert {path.parent.name for path in tmp_path.rglob("users.csv")} == {
        "train_output_label", "val_output_label", "test_output", "unlabeled_output_data",
    }  # fmt: skip
