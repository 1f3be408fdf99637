"""metrics.csv holds everything, and becomes the JSON that SageMaker has for Model Quality."""

from __future__ import annotations

import json

import numpy as np
import pytest

CLASSES = ("dormant", "normal", "heavy", "risky")
GUIDE = {  # what Model Monitor reports, by the Developer Guide
    "binary_classification_metrics": {
        "confusion_matrix", "recall", "precision", "accuracy", "recall_best_constant_classifier",
        "precision_best_constant_classifier", "accuracy_best_constant_classifier", "true_positive_rate",
        "true_negative_rate", "false_positive_rate", "false_negative_rate",
        "receiver_operating_characteristic_curve", "precision_recall_curve", "auc", "f0_5", "f1", "f2",
        "f0_5_best_constant_classifier", "f1_best_constant_classifier", "f2_best_constant_classifier",
    },
    "multiclass_classification_metrics": {
        "confusion_matrix", "accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1",
        "weighted_f2", "accuracy_best_constant_classifier", "weighted_recall_best_constant_classifier",
        "weighted_precision_best_constant_classifier", "weighted_f0_5_best_constant_classifier",
        "weighted_f1_best_constant_classifier", "weighted_f2_best_constant_classifier",
    },
}  # fmt: skip


def answers(judging, name, rows=300, seed=0):
    generator = np.random.default_rng(seed)
    actual = generator.integers(0, 4, rows)
    score = np.clip(0.4 * (actual == 3) + generator.random(rows) * 0.6, 0, 1)
    return judging.Answers(name, CLASSES, 3, 0.5, score, generator.integers(0, 5, rows), actual)


@pytest.fixture
def stored(module, tmp_path):
    """Two models' lines, written and read again."""
    quality, judging = module("model_quality"), module("judging")
    models = [answers(judging, "fold_0"), answers(judging, "mean, all", seed=1)]
    lines = [line for each in models for line in quality.measured(each, {"unlabeled_rows": 7.0})]
    points = [line for each in models for line in quality.curve_points(each)]
    quality.write_csv(tmp_path / "metrics.csv", quality.METRICS, lines)
    quality.write_csv(tmp_path / "curves.csv", quality.CURVES, points)
    files = ((tmp_path / "metrics.csv", quality.METRICS), (tmp_path / "curves.csv", quality.CURVES))
    return models, [quality.read_csv(*file) for file in files]


def test_the_schema(module, stored):
    models, (metrics, curves) = stored
    for each in models:
        found = module("model_quality").convert(metrics, curves, each.name)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        for group, names in GUIDE.items():
            assert names <= set(found[group]), names - set(found[group])
            for name in names - {"confusion_matrix"}:
                if "curve" not in name:
                    assert set(found[group][name]) == {"value", "standard_deviation"}
        assert set(found) == {*GUIDE, "scarce_class_metrics"}


def test_the_values(module, stored):
    judging = module("judging")
    models, (metrics, curves) = stored
    found = module("model_quality").convert(metrics, curves, "mean, all")
    binary = found["binary_classification_metrics"]
    for name, value in judging.binary(models[1]).items():
        assert binary[name]["value"] == value, "to the last bit, through the CSV"
    assert 0 < binary["recall"]["standard_deviation"] < 0.1
    positive, flagged = models[1].positive, models[1].flagged
    assert binary["confusion_matrix"]["1"] == {
        "0": int((positive & ~flagged).sum()),
        "1": int((positive & flagged).sum()),
    }
    many = found["multiclass_classification_metrics"]["confusion_matrix"]
    assert list(many) == list(many["risky"]) == [*CLASSES, "unknown"]
    assert [list(row.values()) for row in many.values()] == judging.confusion(models[1]).tolist()
    curve = binary["receiver_operating_characteristic_curve"]
    assert len(curve["false_positive_rates"]) == len(curve["true_positive_rates"]) == 200
    assert (curve["false_positive_rates"][-1], curve["true_positive_rates"][-1]) == (1.0, 1.0)
    area = np.trapezoid(curve["true_positive_rates"], curve["false_positive_rates"])
    assert area == pytest.approx(binary["auc"]["value"], abs=0.01) and area > 0.6
    curve = binary["precision_recall_curve"]
    area = np.sum(np.diff(curve["recalls"], prepend=0) * curve["precisions"])
    assert area == pytest.approx(binary["au_prc"]["value"], abs=0.02) and area > 0.5
    custom = found["scarce_class_metrics"]
    assert custom["unlabeled_rows"] == {"value": 7.0, "standard_deviation": "NaN"}
    assert custom["threshold"] == {"value": 0.5, "standard_deviation": "NaN"}


def test_few_rows_have_no_deviation(module):
    quality, judging = module("model_quality"), module("judging")
    lines = list(quality.measured(answers(judging, "a", rows=50), {}))
    text = [{name: str(value) for name, value in line.items()} for line in lines]
    found = quality.convert(text, [], "a")
    assert found["binary_classification_metrics"]["recall"]["standard_deviation"] == "NaN"


def test_files_for_the_registry(module, stored, tmp_path):
    _, (metrics, curves) = stored
    quality = module("model_quality")
    quality.write_json(tmp_path / "deep/fold_0", quality.convert(metrics, curves, "fold_0"))
    one, other = (
        json.loads((tmp_path / "deep/fold_0" / name).read_text())
        for name in ("model_quality.json", "model_quality_multiclass.json")
    )
    assert set(one) == {"binary_classification_metrics", "scarce_class_metrics"}
    assert set(other) == {"multiclass_classification_metrics"}


def test_bad_files(module, stored, tmp_path):
    quality = module("model_quality")
    _, (metrics, curves) = stored
    with pytest.raises(quality.BadMetrics, match="no model 'fold_9'; there are: fold_0, mean, all"):
        quality.convert(metrics, curves, "fold_9")
    with pytest.raises(
        quality.BadMetrics, match=r"metrics.csv line 2: could not convert string to float: 'x'"
    ):
        quality.convert([{**metrics[0], "value": "x"}], [], "fold_0")
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(quality.BadMetrics, match=r"columns are \['a', 'b'\], needs model, group, metric"):
        quality.read_csv(tmp_path / "other.csv", quality.METRICS)
    with pytest.raises(quality.BadMetrics, match="cannot be read"):
        quality.read_csv(tmp_path / "none.csv", quality.METRICS)
