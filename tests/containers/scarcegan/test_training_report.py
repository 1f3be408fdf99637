"""The log lines are what family.toml looks for; reports are JSON whatever the numbers were."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def report(module):
    return module("training_report")


@pytest.fixture
def model(module):
    def model(precision, recall):
        details = {
            "name": "fold_0", "scaler": {"minimum": [0.0] * 1000},
            "metrics": {"Validation_Average_Precision": precision},
            "threshold": {"recall": recall, "precision": 0.5},
        }  # fmt: skip
        return module("model_files").Model({}, details)

    return model


ENTRY = {
    "Iteration": 500, "Discriminator_Supervised_Loss": 1.5, "Discriminator_UnSupervised_Loss": 0.9,
    "Generator_Loss": 0.25, "Accuracy_Supervised": 0.75, "Validation_Recall_Risky": float("nan"),
    "gradients": {"real": {"body.0.bias": float("inf")}},
}  # fmt: skip


def test_the_posts_names(report, capsys):
    report.interval("fold_3", ENTRY)
    assert capsys.readouterr().out == (
        "Iteration=500; Discriminator_Supervised_Loss=1.5; Discriminator_UnSupervised_Loss=0.9; Generator_Loss=0.25; "
        "Accuracy_Supervised=0.75; Validation_Recall_Risky=nan; fold_3\n"
    )


def test_the_jobs_own_metrics_are_means(report, model, module, capsys):
    state = module("checkpoints").Progress(900, None, resumed_at=500)
    metrics = report.finished([model(0.5, 0.25), model(0.75, 0.75)], {"fold_0": state}, 2.0)
    wanted = {"validation:average_precision": 0.625, "validation:recall": 0.5, "validation:precision": 0.5}
    assert metrics == {**wanted, "train:steps_per_second": 200.0}
    assert "train:steps_per_second=200; 2 models, 400 steps in 2.0 s" in capsys.readouterr().out
    state = module("checkpoints").Progress(900, None, resumed_at=900)
    assert report.finished([model(0.5, 0.25)], {"fold_0": state}, 2.0).keys() == wanted.keys()


def test_every_metric_of_family_toml_can_be_found_in_one_run(report):
    folder = Path(report.__file__).parent
    metrics = tomllib.loads((folder / "family.toml").read_text())["training"]["metrics"]
    said = " ".join(f"{metric['name']}=0.5;" for metric in metrics)
    for metric in metrics:
        assert re.findall(metric["regex"], said) == ["0.5"], "no name may end as another does"


def test_reports_are_json_with_numbers_that_are_none(report, model, module, tmp_path):
    checkpoints = module("checkpoints")
    finding = {"rule": "ExplodingTensor", "model": "fold_0", "iteration": 500, "loss": "real",
               "tensor": "body.0.bias", "value": None}  # fmt: skip
    progress = checkpoints.Progress(500, None, history=[ENTRY | {"x": np.float64("nan")}], findings=[finding])
    report.write(tmp_path / "data", {"fold_0": progress}, [model(0.5, 0.5)], {"validation:recall": 0.5})
    read = {
        path.stem: json.loads(path.read_text(), parse_constant=pytest.fail) for path in tmp_path.glob("*/*")
    }
    assert set(read) == {"training_report", "gradient_health"}
    assert read["training_report"]["history"]["fold_0"][0]["gradients"]["real"]["body.0.bias"] is None
    assert read["training_report"]["models"][0].keys() == {"name", "metrics", "threshold"}
    statuses = read["gradient_health"]["DebugRuleEvaluationStatuses"]
    assert [one["RuleEvaluationStatus"] for one in statuses] == ["NoIssuesFound", "IssuesFound"]


def test_a_failure_is_a_line_and_a_file(report, tmp_path, capsys):
    report.fail(tmp_path / "output/failure", "why " * 1000)
    assert len((tmp_path / "output/failure").read_text()) == 1024
    assert capsys.readouterr().err.startswith("training failed: why why")
