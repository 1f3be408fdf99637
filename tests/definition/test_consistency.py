"""What the case folders do not show: checks of whole definitions beside references, branches and cycles."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.definition.document import parse
from trainyard.errors import DefinitionError


def step(name: str, type_: str = "Training", **keys: Any) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "Arguments": {}, **keys}


def uses(name: str, text: str, type_: str = "Training") -> dict[str, Any]:
    return step(name, type_, Arguments={"x": {"Get": text}})


def loop(*body: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    both = {"IterableItems": ["a"], "MaxConcurrency": 2}
    return step("Loop", "ForEach", Arguments={**both, "ForEachBody": list(body), **arguments})


def branches(name: str, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return step(name, "Condition", Arguments={"Conditions": [], "IfSteps": then, "ElseSteps": otherwise})


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"Steps": [uses("A", "Steps.Stop.x"), step("Stop", "Fail")]},
            "'Steps.Stop.x': a Fail step has no properties",
        ),
        ({"Steps": [uses("A", "Steps.A.x")]}, "step 'A': needs itself: A -> A"),
        (
            {"Steps": [uses("A", "PipelineExperimentConfig.TrialName")]},
            "the definition has no PipelineExperimentConf",
        ),
        ({"Steps": [uses("A", "ForEach.CurrentItem")]}, "is possible only in the body of a ForEach step"),
        ({"Steps": [uses("A", "IterationOutput.B.x")]}, "is possible only in the Selector of a ForEach step"),
        ({"Steps": [loop(step("Stop", "Fail"))]}, "a Fail step cannot be in the body of ForEach 'Loop'"),
        ({"Steps": [loop(uses("A", "Steps.B.x"), uses("B", "Steps.A.x"))]}, "needs itself: A -> B -> A"),
        (
            {"Steps": [loop(step("A")), uses("B", "Steps.A.x")]},
            r"step 'A' is in the body of ForEach 'Loop'; outside it, wait .* Steps.Loop.IterationOutputs\[0\].A",
        ),
        ({"Steps": [loop(step("A")), step("B", DependsOn=["A"])]}, "'A' is in the body of ForEach 'Loop'"),
        ({"Steps": [step("A", DependsOn=["a"])]}, r"step 'A', DependsOn\[0\]: no step 'a'; possible: A"),
        (
            {"Steps": [step("A")], "PipelineExperimentConfig": {"TrialName": {"Get": "Steps.A.x"}}},
            "PipelineExperimentConfig.TrialName: 'Steps.A.x' is not possible here; possible: Parameters.X",
        ),
        (
            {"Steps": [step("A")], "PipelineExperimentConfig": {"TrialName": {"Get": "Parameters.T"}}},
            "PipelineExperimentConfig.TrialName: no parameter 'T'",
        ),
        (
            {"Steps": [branches("C", [branches("D", [step("A")], [])], [step("B", DependsOn=["A"])])]},
            "step 'B', DependsOn.0.: step 'A' is in the if branch of 'C' and this step in the else branch",
        ),
    ],
)
def test_contradictions(definition, message):
    with pytest.raises(DefinitionError, match=message):
        parse(definition)


@pytest.mark.parametrize(
    "steps",
    [
        # a Fail step never completes, but it fails
        [step("Stop", "Fail"), step("A", DependsOn=[{"Step": "Stop", "Trigger": "Failed"}])],
        # a step outside may wait for a step of a branch, and a branch for what is outside
        [branches("C", [step("A", DependsOn=["B"])], []), step("B"), step("D", DependsOn=["A"])],
        # two conditions: their branches exclude nothing of each other
        [branches("C", [step("A")], []), branches("D", [], [step("B", DependsOn=["A"])])],
        [
            loop(
                uses("A", "ForEach.CurrentItem.uri"),
                uses("B", "Steps.A.x"),
                Selector={"Pick": "MinBy", "Field": {"Get": "IterationOutput.B.x"}},
            )
        ],
    ],
)
def test_what_is_allowed(steps):
    assert parse({"Steps": steps}).steps


def test_an_output_whose_name_is_an_expression_may_hold_the_property_file():
    file = {"PropertyFileName": "R", "OutputName": "o", "FilePath": "r.json"}
    outputs = [{"OutputName": {"Get": "Parameters.Output"}}]
    evaluate = step(
        "E", "Processing", PropertyFiles=[file], Arguments={"ProcessingOutputConfig": {"Outputs": outputs}}
    )
    report = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "x"}}
    parse({"Parameters": [{"Name": "Output"}], "Steps": [evaluate, step("A", Arguments={"x": report})]})


def test_reading_problems_and_contradictions_come_together():
    with pytest.raises(DefinitionError) as raised:
        parse({"Steps": [step("A", "Trainin"), step("B", DependsOn=["A", "C"])]})
    messages = str(raised.value).splitlines()
    assert len(messages) == 3  # 'A' has a bad type and is a step all the same
    assert "unknown step type 'Trainin'" in messages[1]
    assert "no step 'C'" in messages[2]
