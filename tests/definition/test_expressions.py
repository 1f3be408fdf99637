from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.expressions import preview, resolve, stringify
from trainyard.definition.properties import Path, lookup
from trainyard.errors import ExpressionError

PARAMETERS = {"Depth": 7, "Rate": 0.5, "Whole": 3.0, "Strict": True, "Name": "x"}
TRAIN = {"ModelArtifacts": {"S3ModelArtifacts": "s3://b/model"}, "Seconds": 12, "Nothing": None}
REPORT = {"folds": [{"auc": 0.75}]}
RESULTS = {"s3://b/ex1/results.json": {"Result": [1, 2]}}


class Run:
    """A scope over plain values; what they lack has no value."""

    def parameter(self, name: str) -> Any:
        return self.found(PARAMETERS, name)

    def execution(self, variable: str) -> Any:
        return self.found({"PipelineExecutionId": "ex1"}, variable)

    def experiment(self, name: str) -> Any:
        return f"my {name}"

    def step_property(self, step: str, path: Path) -> Any:
        return lookup(self.found({"Train": TRAIN}, step), path)

    def current_item(self, path: Path) -> Any:
        return lookup({"uri": "s3://b/item"}, path)

    def property_file(self, step: str, name: str) -> Any:
        return self.found({("Evaluate", "Report"): REPORT}, (step, name))

    def s3_json(self, uri: str) -> Any:
        return self.found(RESULTS, uri)

    def found(self, values: dict[Any, Any], key: Any) -> Any:
        if key not in values:
            raise ExpressionError(f"{key!r} has not run")
        return values[key]


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def join(on: str, *values: Any) -> dict[str, Any]:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def auc(file: str = "Report", path: str = "folds[0].auc") -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.Evaluate.PropertyFiles.{file}"), "Path": path}}


RESULTS_URI = join("/", "s3://b", get("Execution.PipelineExecutionId"), "results.json")
RESULT = {"Std:JsonGet": {"S3Uri": RESULTS_URI, "Path": "Result"}}
MODEL = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("plain", "plain"),
        (get("Parameters.Depth"), 7),
        (get("Parameters.Strict"), True),
        (get("Execution.PipelineExecutionId"), "ex1"),
        (get("PipelineExperimentConfig.TrialName"), "my TrialName"),
        (get("Steps.Train.Seconds"), 12),
        (get("Steps.Train.Nothing"), None),
        (get("ForEach.CurrentItem.uri"), "s3://b/item"),
        (MODEL, "s3://b/model"),
        (auc(), 0.75),
        (RESULT, [1, 2]),
        (join("/", "s3:/", "b", get("Execution.PipelineExecutionId")), "s3://b/ex1"),
        (join(",", 1, 2.5, get("Parameters.Whole"), get("Parameters.Strict"), False), "1,2.5,3.0,true,false"),
        (join("-", join("+", "a", get("Parameters.Name")), auc()), "a+x-0.75"),
        (join("/"), ""),
        (
            {"a": [MODEL, {"b": get("Parameters.Rate")}], "c": None},
            {"a": ["s3://b/model", {"b": 0.5}], "c": None},
        ),
        # as SDK v2 writes hyperparameters: JSON in strings, and numbers made strings by a Join
        ({"p": '"train.py"', "d": join("", get("Parameters.Depth"))}, {"p": '"train.py"', "d": "7"}),
    ],
)
def test_resolve(value, result):
    found = resolve(value, Run())
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (get("Steps.Later.A"), r"^Steps\.Later\.A: 'Later' has not run"),
        (get("Steps.Train.ModelArtefacts"), r"Steps\.Train\.ModelArtefacts: .*did you mean 'ModelArtifacts'"),
        (auc("Other"), r"Steps\.Evaluate\.PropertyFiles\.Other:folds\[0\]\.auc: .* has not run"),
        (auc(path="folds[3].auc"), "no item 3 at folds, which has 1"),
        (join("/", "a", get("Steps.Later.A")), r"a/\$\{Steps\.Later\.A\}: Steps\.Later\.A: "),
        (join("/", "a", get("Steps.Train.Nothing")), "null .null. cannot be part of a Std:Join"),
        (join("/", RESULT), r"a list \(\[1, 2\]\) cannot be part of a Std:Join"),
        (get("IterationOutput.A.x"), "IterationOutput has a value only in the Selector of a ForEach step"),
    ],
)
def test_what_has_no_value_is_named(value, message):
    with pytest.raises(ExpressionError, match=message):
        resolve(value, Run())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (MODEL, "s3://b/model"),
        (get("Steps.Later.A['b c']"), "${Steps.Later.A['b c']}"),
        (join("/", "s3:/", get("Steps.Later.A"), "x"), "s3://${Steps.Later.A}/x"),
        (auc("Other"), "${Steps.Evaluate.PropertyFiles.Other:folds[0].auc}"),
        ([get("Execution.TrainingJobName")], ["${Execution.TrainingJobName}"]),
        (
            {"Std:JsonGet": {"S3Uri": join("/", get("Steps.Later.Uri"), "results.json"), "Path": "Result"}},
            "${${Steps.Later.Uri}/results.json:Result}",
        ),
    ],
)
def test_preview_writes_what_is_not_known_yet(value, text):
    assert preview(value, Run()) == text


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text())
def test_stringify_loses_nothing(value):
    assert type(value)(stringify(value)) == value
