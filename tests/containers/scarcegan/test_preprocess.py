"""preprocess.py as SageMaker runs it: five folders in, the post's outputs out, and a message where it cannot."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

LABELED = ("dormant", "normal", "heavy", "risky")


@pytest.fixture(scope="session")
def raw(run, tmp_path_factory):
    """The example's inputs, small; do not change them."""
    base = tmp_path_factory.mktemp("raw")
    made = run("example/generate.py", base, "--output", str(base / "input"), "--users", "900")
    assert made.returncode == 0, made.stderr
    return base / "input"


@pytest.fixture
def base(raw, tmp_path):
    """A job's folder with inputs of its own, to be spoiled."""
    shutil.copytree(raw, tmp_path / "processing/input")
    return tmp_path


def message(base):
    return (base / "output/message").read_text()


def arrays(base):
    return {
        str(path.relative_to(base / "processing")): np.load(path, allow_pickle=False)
        for path in (base / "processing").rglob("*.npy")
    }


def users(base, folder):
    with (base / "processing" / folder / "users.csv").open() as stream:
        return [row["user"] for row in csv.DictReader(stream)]


def test_outputs(run, base):
    ran = run("preprocess.py", base)
    assert ran.returncode == 0, ran.stderr
    found = arrays(base)
    train, label = found["train_output_data/data.npy"], found["train_output_label/label.npy"]
    assert set(train.min(axis=0)) == {0} and set(train.max(axis=0)) == {1}, (
        "fitted on these rows, and no others"
    )
    sizes = json.loads((base / "processing/quality_output/quality.json").read_text())["sizes"]
    for split, labels in (("train", label), ("test", found["test_output/label.npy"])):
        counts = [sizes[split][name]["rows"] for name in LABELED]
        assert np.bincount(labels).tolist() == counts
    folds = [found[f"train_kfold_output_data/fold_{index}.npy"] for index in range(4)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(train)))
    assert all(len(np.unique(label[fold])) == 4 for fold in folds)
    pool = found["unlabeled_output_data/data.npy"]
    folds = [found[f"unlabeled_kfold_output_data/fold_{index}.npy"] for index in range(4)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(pool)))
    everybody = [
        set(users(base, name))
        for name in ("train_output_label", "val_output_label", "test_output", "unlabeled_output_data")
    ]
    assert len(set.union(*everybody)) == sum(map(len, everybody)), "nobody is in two splits"
    assert len(users(base, "train_output_label")) == len(train)
    assert "50 features" in ran.stdout and "missing_day" in ran.stdout


def test_quality(run, base):
    with (base / "processing/input/data_unlabeled/telemetry.csv").open("a") as stream:
        stream.write("new,2026-01-05,1,1,1,1,1\n,2026-01-05,1,1,1,1,1\n")
    assert run("preprocess.py", base).returncode == 0
    quality = json.loads((base / "processing/quality_output/quality.json").read_text())
    assert quality["kind"] == "telemetry" and quality["settings"]["folds"] == "4"
    assert quality["findings"]["short_history"]["inputs"]["data_unlabeled"] >= 1
    assert quality["findings"]["no_user"]["count"] == 1
    assert len(quality["leakage"]) == 6
    assert {pair["users"] for pair in quality["leakage"].values()} == {0}
    assert quality["outside"]["train"] == {"below": 0.0, "above": 0.0}
    assert quality["unlabeled"]["users"] == len(users(base, "unlabeled_output_data"))


def test_the_same_users_in_another_order_give_the_same_outputs(run, base, raw, tmp_path):
    other = tmp_path / "other"
    for path in sorted(raw.rglob("*.csv")):
        header, *lines = path.read_text().splitlines()
        lines = [lines[index] for index in np.random.default_rng(0).permutation(len(lines))]
        cut = len(lines) // 3
        folder = other / "processing/input" / path.parent.name
        folder.mkdir(parents=True)
        for name, part in (("z.csv", lines[:cut]), ("b.csv", lines[cut:])):
            (folder / name).write_text("\n".join([header, *part]) + "\n")
    for job in (base, other):
        assert run("preprocess.py", job).returncode == 0
    for folder in ("train_output", "test_output"):
        place = folder if folder == "test_output" else f"{folder}_label"
        data = folder if folder == "test_output" else f"{folder}_data"
        rows = []
        for job in (base, other):
            values = arrays(job)[f"{data}/data.npy"]
            rows.append(dict(zip(users(job, place), values, strict=True)))
        assert set(rows[0]) == set(rows[1])
        for user, values in rows[0].items():
            np.testing.assert_allclose(rows[1][user], values, atol=1e-6)


def test_ready_features_with_rows_by_user(run, tmp_path):
    generator = np.random.default_rng(0)
    for label, name in enumerate((*LABELED, "unlabeled")):
        folder = tmp_path / "processing/input" / f"data_{name}"
        folder.mkdir(parents=True)
        rows = [f"{name}{row // 3},{label + generator.normal()},{row}" for row in range(90)]
        (folder / "x.tsv").write_text("user\tx\ty\n" + "\n".join(rows).replace(",", "\t") + "\n")
    ran = run("preprocess.py", tmp_path, "--folds", "3", "--test-share", "0.3", "--transform", "none")
    assert ran.returncode == 0, ran.stderr
    found = arrays(tmp_path)
    assert found["test_output/data.npy"].shape == (4 * 9 * 3, 2)
    train = users(tmp_path, "train_output_label")
    assert not set(train) & set(users(tmp_path, "test_output")) and len(train) == 3 * len(set(train))
    for index in range(3):
        rows = found[f"train_kfold_output_data/fold_{index}.npy"]
        inside = {train[row] for row in rows}
        assert len(rows) == 3 * len(inside)
    scaler = json.loads((tmp_path / "processing/scaler_output/scaler.json").read_text())
    assert (scaler["columns"], scaler["counters"], scaler["transform"]) == (["x", "y"], [], "none")


def spoil(base, name, change):
    path = base / f"processing/input/data_{name}/telemetry.csv"
    path.write_text(change(path.read_text()))


def three_users(text):
    lines = text.splitlines()
    few = sorted({line.split(",")[0] for line in lines[1:]})[:3]
    return "\n".join([lines[0], *(line for line in lines[1:] if line.split(",")[0] in few)]) + "\n"


def constant(text):
    lines = [line.split(",") for line in text.splitlines()]
    return "\n".join(",".join([*line[:6], line[6] if line[6] == "loss" else "5"]) for line in lines) + "\n"


@pytest.mark.parametrize(
    ("names", "change", "told"),
    [
        (("risky",), three_users, "too few labelled users: risky has 3. With 4 folds"),
        (
            ("heavy",),
            lambda text: text.replace(",loss\n", ",lost\n"),
            "data_heavy/telemetry.csv has no column 'loss'",
        ),
        (
            ("normal",),
            lambda text: text + "x,2026-01-05,1,2,3,4,five\n",
            "column 'loss': 'five' is no number",
        ),
        (
            ("normal",),
            lambda text: text + "x,2026-01-05,1,2,3,4,\n",
            "column 'loss': the value is missing (NaN)",
        ),
        (LABELED, constant, "1 of 5 columns have one value in all labelled rows: 'loss'"),
        (
            ("risky",),
            lambda text: text.splitlines()[0],
            "the input data_risky has no rows that could be used",
        ),
    ],
    ids=["three users", "columns", "text", "nan", "constant", "empty"],
)
def test_refused_with_a_message(run, base, names, change, told):
    for name in names:
        spoil(base, name, change)
    ran = run("preprocess.py", base)
    assert ran.returncode == 1
    assert told in message(base)
    assert ran.stderr.startswith("preprocessing failed: ") and ran.stderr.count("\n") == 1
    made = {path.name for path in (base / "processing").iterdir()}
    assert made == {"input", "quality_output"}, "no half of the outputs"


def test_a_missing_input(run, base):
    shutil.rmtree(base / "processing/input/data_heavy")
    assert run("preprocess.py", base).returncode == 1
    assert message(base).startswith("the input data_heavy is missing: there is no folder ")


def test_nothing_held_out(run, base):
    ran = run("preprocess.py", base, "--test-share", "0", "--validation-share", "0")
    assert ran.returncode == 0, ran.stderr
    found = arrays(base)
    assert found["test_output/data.npy"].shape == (0, 50) and found["val_output_label/label.npy"].shape == (
        0,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--folds", "1"), "--folds: '1' is not a whole number from 2 to 20"),
        (("--test-share", "0.9"), "--test-share: '0.9' is not a number from 0.0 to 0.5"),
        (("--on-nan", "guess"), "--on-nan: invalid choice: 'guess'"),
        (("--columns", "games,wins"), "data_dormant/telemetry.csv has no column 'wins'"),
    ],
)
def test_wrong_arguments(run, base, arguments, told):
    assert run("preprocess.py", base, *arguments).returncode == 1
    assert told in message(base)


def test_what_is_dropped_on_demand(run, base):
    for name in LABELED:
        spoil(base, name, constant)
    spoil(base, "normal", lambda text: text + "x,2026-01-05,1,2,3,,4\n")
    ran = run("preprocess.py", base, "--on-constant", "drop", "--on-nan", "drop")
    assert ran.returncode == 0, ran.stderr
    scaler = json.loads((base / "processing/scaler_output/scaler.json").read_text())
    assert scaler["counters"] == ["logins", "games", "minutes", "deposit"] and len(scaler["columns"]) == 40
    assert "1 missing_value" in ran.stdout and "1 constant_column" in ran.stdout
