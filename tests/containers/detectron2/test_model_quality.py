"""The group of metrics that the registry shows."""

from __future__ import annotations

import json

from tests.containers.detectron2.scenes import found, image, split
from trainyard.execution.steps.register_model import _numbers


def test_values_and_deviations(module):
    data = module("dataset")
    seen = found((10, 10, 30, 30, 0.9, 0))
    testing = split(module, [(image(data, 1, (0, 10, 10, 20, 20)), seen), (image(data, 2), seen)])
    training = split(module, [(image(data, 1), seen)], name="training", ap=0.75)
    report = module("model_quality").report([testing, training])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    (group,) = report.values()
    assert list(report) == ["object_detection_metrics"] and all(
        set(each) == {"value", "standard_deviation"} for each in group.values()
    )
    assert group["AP"] == {"value": 0.5, "standard_deviation": "NaN"}
    assert group["precision"]["value"] == 0.5 and 0.1 < group["precision"]["standard_deviation"] < 0.5
    assert group["recall"] == {"value": 1.0, "standard_deviation": 0.0}
    assert "APs" not in group, "which is undefined"
    shown = dict(_numbers(report, ""))
    assert (shown["AP"], shown["testing_AP"], shown["training_AP"]) == (0.5, 0.5, 0.75)
    assert (shown["images"], shown["score_threshold"]) == (2, 0.5)


def test_nothing_to_measure_by(module):
    group = module("model_quality").report([split(module, [], ap=None)])["object_detection_metrics"]
    assert set(group) == {"images", "score_threshold"}
