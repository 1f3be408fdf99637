"""evaluate.py as SageMaker runs it: numbers, plots and a page of models in a folder or an archive; or why not."""

from __future__ import annotations

import csv
import json
from typing import ClassVar

import numpy as np
import pytest

from trainyard.in_image.archives import read_archive, write_archive

CLASSES = ("dormant", "normal", "heavy", "risky")
COLUMNS = ["x", "y", "z"]


def rows_of(seed, count=240):
    generator = np.random.default_rng(seed)
    label = np.arange(count, dtype=np.int32) % 4
    data = generator.random((count, 3)).astype(np.float32) * 0.8
    data[:, 0] += 0.25 * label
    return data, label


def put(folder, data, label=None, columns=COLUMNS, classes=CLASSES):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "data.npy", data)
    if label is not None:
        np.save(folder / "label.npy", label)
    (folder / "meta.json").write_text(json.dumps({"columns": columns, "classes": list(classes)}))


@pytest.fixture
def base(module, tmp_path):
    """A job's folder with two small models whose classes lie along the first column, and test rows."""
    model_files = module("model_files")
    models = []
    for number in range(2):
        kernel = np.zeros((3, 5), np.float32)
        kernel[0] = np.arange(5) * 6
        bias = np.array([0, -3, -7.5, -13.5 - number / 5, -23], np.float32)
        weights = {
            "body.0.kernel": np.eye(3, dtype=np.float32), "body.0.bias": np.zeros(3, np.float32),
            "supervised.kernel": kernel, "supervised.bias": bias,
        }  # fmt: skip
        details = {
            "format": model_files.FORMAT, "name": f"fold_{number}", "classes": list(CLASSES), "risky": 3,
            "columns": COLUMNS, "leeway": True, "layers": 1, "threshold": {"value": 0.3 + number / 10}, "scaler": {},
        }  # fmt: skip
        models.append(model_files.Model(weights, details))
    module("model_archives").save(tmp_path / "processing/models", models)
    put(tmp_path / "processing/test_output", *rows_of(0))
    return tmp_path


def evaluation(base):
    return json.loads((base / "processing/evaluation/evaluation.json").read_text())


def test_outputs(run, base):
    put(base / "processing/unlabeled_output_data", rows_of(1)[0])
    registered = base / "processing/registered"
    registered.mkdir()
    versions = [{"model": "fold_1", "version": 4, "status": "Approved", "metrics": {"recall": 0.0}}]
    (registered / "registered.json").write_text(json.dumps(versions))
    ran = run("evaluate.py", base, "--prevalence", "0.01")
    assert ran.returncode == 0, ran.stderr
    folder = base / "processing/evaluation"
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "metrics.csv", "curves.csv", "models", "plots", "report.html",
    }  # fmt: skip
    found = evaluation(base)
    assert (
        list(found["models"]) == ["fold_0", "fold_1", "mean"] and found["overall"] == found["models"]["mean"]
    )
    overall = found["overall"]
    assert overall["recall"] > 0.6 and overall["average_precision"] > 0.5 and overall["rows"] == 240
    assert overall["threshold"] == pytest.approx(0.35) and overall["unlabeled_rows"] == 240
    expected = 0.01 * overall["recall"] / overall["unlabeled_flagged_share"]
    assert overall["unlabeled_precision"] == pytest.approx(expected) and expected < overall["precision"]
    assert np.array(found["confusion"]["mean"]).sum() == 240 and found["classes"] == [*CLASSES, "unknown"]
    changes = {each["model"]: each for each in found["side_by_side"] if each["metric"] == "recall"}
    assert changes["fold_1"]["before"] == 0.0 and changes["fold_0"]["before"] is None
    with (folder / "metrics.csv").open() as stream:
        stored = {(line["model"], line["metric"]): line["value"] for line in csv.DictReader(stream)}
    for model in found["models"]:
        quality = json.loads((folder / "models" / model / "model_quality.json").read_text())
        recall = quality["binary_classification_metrics"]["recall"]["value"]
        assert recall == found["models"][model]["recall"] == float(stored[model, "recall"])
        assert (folder / "models" / model / "model_quality_multiclass.json").exists()
    assert "version 4, Approved" in (folder / "report.html").read_text()
    assert f"evaluation:average_precision={overall['average_precision']:.6g};" in ran.stdout
    assert "evaluation:models=2;" in ran.stdout


class Fixed:
    """A model that gives the answers it is made with."""

    class_names: ClassVar = list(CLASSES)
    details: ClassVar = {"risky": 3}

    def __init__(self, name, threshold, *answers):
        self.name, self.threshold, self._answers = name, threshold, np.array(answers, np.float32)

    def probabilities(self, rows):
        return self._answers


def test_the_mean_weighs_all_models_alike(module):
    models = [
        Fixed("a", 0.2, [0.1, 0.0, 0.0, 0.6, 0.3], [0.0, 0.0, 0.0, 0.1, 0.9]),
        Fixed("b", 0.6, [0.0, 0.0, 0.0, 0.3, 0.7], [0.5, 0.0, 0.0, 0.4, 0.1]),
        Fixed("c", 0.4, [0.0, 0.5, 0.0, 0.4, 0.1], [0.1, 0.0, 0.0, 0.4, 0.5]),
    ]
    *single, mean = module("evaluate").judge(models, np.zeros((2, 3)), np.array([3, 0]))
    assert [each.predicted.tolist() for each in single] == [[3, 4], [4, 0], [1, 4]]
    assert mean.predicted.tolist() == [3, 4] and mean.score.tolist() == pytest.approx([1.3 / 3, 0.3])
    assert mean.threshold == pytest.approx(0.4) and mean.flagged.tolist() == [True, False]


def test_archives_lie_where_they_may(run, base):
    assert run("evaluate.py", base).returncode == 0
    before = evaluation(base)
    models = base / "processing/models"
    models.rename(base / "away")
    models.mkdir()
    (base / "away").rename(models / "deep")
    ran = run("evaluate.py", base)
    assert ran.returncode == 0, ran.stderr
    assert evaluation(base) == before
    assert {path.name for path in models.rglob("*") if path.is_file()} == {
        "fold_0.tar.gz", "fold_1.tar.gz", "mean.tar.gz",
    }, "unpacked elsewhere"  # fmt: skip


def test_a_prevalence_that_is_none(run, base):
    assert run("evaluate.py", base, "--prevalence", "2").returncode == 1
    assert "--prevalence: '2' is not a number from 0.0 to 1.0" in (base / "output/message").read_text()


def no_models(base):
    (base / "processing/models/mean.tar.gz").unlink()


def broken_archive(base):
    (base / "processing/models/mean.tar.gz").write_bytes(b"half")


def broken_weights(base):
    archive = base / "processing/models/mean.tar.gz"
    files = read_archive(archive)
    write_archive(archive, files | {"models/fold_1/weights.npz": b"half"})


def no_test(base):
    (base / "processing/test_output/data.npy").unlink()


def other_columns(base):
    put(base / "processing/test_output", *rows_of(0), columns=["x", "y", "w"])


def nan(base):
    data, label = rows_of(0)
    data[7, 1] = np.nan
    put(base / "processing/test_output", data, label)


def nobody_risky(base):
    data, label = rows_of(0)
    put(base / "processing/test_output", data, label % 3)


def other_labels(base):
    data, label = rows_of(0)
    put(base / "processing/test_output", data, label + 1)


def short_labels(base):
    data, label = rows_of(0)
    put(base / "processing/test_output", data, label[:-1])


def bad_registered(base):
    (base / "processing/registered").mkdir()
    (base / "processing/registered/registered.json").write_text("[3]")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (no_models, "there is no mean.tar.gz"),
        (broken_archive, "mean.tar.gz: not a whole .tar.gz"),
        (broken_weights, "fold_1/weights.npz"),
        (no_test, "test_output/data.npy cannot be read"),
        (other_columns, "its columns are not those that fold_0 was trained on: 'w', 'z'"),
        (nan, "data.npy: row 7, column 'y' is nan"),
        (nobody_risky, "0 of 240 test rows are risky"),
        (other_labels, "label.npy holds [4]; classes are 0 to 3"),
        (short_labels, "label.npy is int32 (239,), needs one whole number for each of 240 rows"),
        (bad_registered, "registered.json is no list of registered versions"),
    ],
)
def test_refused_with_a_message(run, base, spoil, told):
    spoil(base)
    ran = run("evaluate.py", base)
    assert ran.returncode == 1
    assert told in (base / "output/message").read_text()
    assert ran.stderr.startswith("evaluation failed: ") and ran.stderr.count("\n") == 1
    assert not (base / "processing/evaluation").exists()
