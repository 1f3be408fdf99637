from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.document import Document, parse
from trainyard.definition.order import order
from trainyard.errors import DefinitionError

STOP = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
CHECK = {
    "Name": "Check",
    "Type": "Condition",
    "Arguments": {"Conditions": [], "IfSteps": [STOP], "ElseSteps": [{**STOP, "Name": "Other"}]},
}


def test_a_document_as_a_value():
    config = {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": "t"}
    raw = {
        "Version": "2020-12-01",
        "Metadata": {"by": "hand"},
        "Parameters": [{"Name": "A", "Type": "Integer", "DefaultValue": 1}],
        "PipelineExperimentConfig": config,
        "MlflowConfig": None,
        "Steps": [CHECK, {**STOP, "Name": "Last"}],
    }
    document = parse(raw)
    assert (document.version, document.metadata, document.mlflow_config) == ("2020-12-01", {"by": "hand"}, {})
    assert document.experiment_config == config
    assert [parameter.name for parameter in document.parameters] == ["A"]
    assert [step.name for step in document.steps] == ["Check", "Last"]
    assert [step.name for step in document.all_steps()] == ["Check", "Stop", "Other", "Last"]
    assert document.by_name["Other"].parent == document.by_name["Check"].else_steps[0].parent
    assert parse(json.dumps(raw)) == document


def test_a_document_is_its_own_copy():
    raw = {"Steps": [copy.deepcopy(STOP)]}
    document = parse(raw)
    raw["Steps"][0]["Arguments"]["ErrorMessage"] = "changed"
    assert document.steps[0].arguments == {"ErrorMessage": "no"}
    with pytest.raises(AttributeError):
        document.version = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", "the pipeline definition is not JSON: Expecting"),
        ("[]", "must be an object, not a list"),
        ("null", "must be an object, not null"),
        ('{"Steps": [], "Steps": []}', "one object has the same key twice: Steps"),
        ('{"Steps": NaN}', "NaN is no JSON number"),
        ('{"Steps": 1e999}', "1e999 is no JSON number"),
        ({"Steps": {1, 2}}, "is not JSON: Object of type set"),
        ({}, "Steps: missing; it must be a list"),
        ({"Steps": []}, "Steps: empty; a pipeline needs at least one step"),
        ({"Steps": [STOP], "Version": "2021"}, "unknown version '2021'.*possible: 2020-12-01"),
        ({"Steps": [STOP], "steps": []}, "unknown key 'steps'; did you mean 'Steps'"),
        ({"Steps": [STOP], "Metadata": []}, r"Metadata: must be an object, not a list"),
        (
            {"Steps": [STOP], "PipelineExperimentConfig": {"Name": "x"}},
            "PipelineExperimentConfig.Name: unknown",
        ),
        ('{"Steps": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_definition(raw, message):
    with pytest.raises(DefinitionError, match=message):
        parse(raw)


KEYS = [
    "Steps",
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "Get",
    "Std:Join",
    "Values",
    "IfSteps",
    "Conditions",
]
NAMES = ["A", "B", "Condition", "Processing", "ForEach", "Steps.A.b", "Parameters.A", "Completed", ""]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
STEP = st.fixed_dictionaries(
    {"Name": st.sampled_from(["A", "B", "C"]), "Type": st.sampled_from(["Condition", "Training", "ForEach"])},
    optional={
        "Arguments": st.dictionaries(st.sampled_from([*KEYS, "ForEachBody", "ElseSteps"]), JSON, max_size=3),
        "DependsOn": st.lists(st.sampled_from(["A", "B", "C"]), max_size=2) | JSON,
        "PropertyFiles": JSON,
        "CacheConfig": JSON,
        "RetryPolicies": JSON,
    },
)


@settings(deadline=None)
@given(
    JSON | st.fixed_dictionaries({"Steps": st.lists(STEP | JSON, max_size=4)}, optional={"Parameters": JSON})
)
def test_any_json_is_a_document_with_an_order_or_refused(raw: Any):
    try:
        document = parse(raw)
    except DefinitionError as error:
        assert str(error)
        return
    assert isinstance(document, Document)
    assert set(order(document).sequence) <= set(document.by_name)


def test_a_hundred_steps_are_read_and_ordered_at_once():
    def step(index: int) -> dict[str, Any]:
        uris = [{"Get": f"Steps.S{other}.ModelArtifacts.S3ModelArtifacts"} for other in range(index)[-5:]]
        return {"Name": f"S{index}", "Type": "Training", "Arguments": {"InputDataConfig": uris}}

    text = json.dumps({"Steps": [step(index) for index in reversed(range(100))]})
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        sequence = order(parse(text)).sequence
        seconds.append(time.perf_counter() - start)
    assert sequence == tuple(f"S{index}" for index in range(100))
    assert min(seconds) < 0.05


@pytest.mark.parametrize(("depth", "refused"), [(190, False), (210, True), (5_000, True)])
def test_nesting_has_an_end(depth, refused):
    deep = "[" * depth + "]" * depth
    text = (
        '{"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],'
        f' "Metadata": {{"deep": {deep}}}}}'
    )
    if refused:
        with pytest.raises(DefinitionError, match="nested too deeply"):
            parse(text)
    else:
        parse(text)
