from __future__ import annotations

from typing import Any

import pytest

from trainyard.definition.problems import Problems, Where
from trainyard.definition.steps import Dependency, Parent, PropertyFile, Step, read_steps


def read(*raw: Any) -> tuple[Step, ...]:
    problems = Problems()
    steps = read_steps(list(raw), Where("", "Steps"), problems)
    assert problems.messages == []
    return steps


def refusals(raw: Any) -> list[str]:
    problems = Problems()
    read_steps([raw], Where("", "Steps"), problems)
    return problems.messages


def step(type_: str = "Processing", **keys: Any) -> dict[str, Any]:
    return {"Name": "S", "Type": type_, "Arguments": {}, **keys}


def test_a_step_as_a_value():
    [found] = read(
        {
            "Name": "Evaluate",
            "Type": "Processing",
            "DisplayName": "Evaluate it",
            "Description": "on held-out data",
            "DependsOn": ["Clean", {"Step": "Fit", "Trigger": "Any"}],
            "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"},
            "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2}],
            "PropertyFiles": [
                {"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "a/b.json"}
            ],
            "Arguments": {"RoleArn": {"Get": "Parameters.Role"}},
        }
    )
    assert (found.name, found.type, found.parent) == ("Evaluate", "Processing", None)
    assert (found.display_name, found.description) == ("Evaluate it", "on held-out data")
    assert found.depends_on == (Dependency(step="Clean"), Dependency(step="Fit", trigger="Any"))
    assert found.cache is not None
    assert found.cache.enabled
    assert found.retry_policies[0].max_attempts == 2
    assert found.property_files == (
        PropertyFile(name="Report", output_name="evaluation", file_path="a/b.json"),
    )
    assert [(str(where), get.text) for where, get in found.references] == [
        ("step 'Evaluate', Arguments.RoleArn", "Parameters.Role")
    ]


def test_null_counts_as_absent():
    nothing = dict.fromkeys(["DisplayName", "Description", "DependsOn", "CacheConfig", "RetryPolicies"])
    assert read({**step(), **nothing, "PropertyFiles": None}) == read(step())


def test_the_keys_of_a_type_are_kept_and_searched_for_references():
    own = {"FunctionArn": {"Get": "Parameters.Arn"}, "OutputParameters": []}
    [found] = read(step("Lambda", **own))
    assert found.own == own
    assert [str(where) for where, _ in found.references] == ["step 'S', FunctionArn"]


def test_nested_steps_know_where_they_lie_and_keep_their_references():
    inner = {"Name": "In", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Text"}}}
    condition = {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.A"}, "RightValue": 1}],
            "IfSteps": [
                {"Name": "Deep", "Type": "Condition", "Arguments": {"Conditions": [], "ElseSteps": [inner]}}
            ],
        },
    }
    [found] = read(condition)
    assert [nested.name for nested in found.walk()] == ["Check", "Deep", "In"]
    assert [nested.parent for nested in found.walk()] == [None, Parent("Check", "if"), Parent("Deep", "else")]
    assert [[get.name for _, get in nested.references] for nested in found.walk()] == [["A"], [], ["Text"]]
    assert len(found.conditions) == 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("x", 'Steps[0]: must be an object, not a string ("x")'),
        ({}, "Steps[0].Name: missing; it must be a string"),
        (step(Name="a b"), 'Steps[0].Name: "a b" is no step name'),
        (step(Name="x" * 65), "is no step name; 1 to 64 letters"),
        (step("Trainin"), "step 'S', Type: unknown step type 'Trainin'; did you mean 'Training'?"),
        (step(Type=1), "step 'S', Type: must be a string, not an integer (1)"),
        (step(Arguments=[]), "step 'S', Arguments: must be an object, not a list ([])"),
        (
            step("Lambda", PropertyFiles=[]),
            "PropertyFiles: not possible on a step of type Lambda; possible on: Pro",
        ),
        (step("Lambda", RetryPolicies=[]), "RetryPolicies: not possible on a step of type Lambda"),
        (step(Retry=[]), "step 'S', Retry: unknown key 'Retry'"),
        (step(DependsOn=[1]), "DependsOn[0]: must be a string or an object, not an integer (1)"),
        (
            step(DependsOn=[{"Step": "A", "Trigger": "Done"}]),
            "DependsOn[0].Trigger: unknown trigger 'Done'; poss",
        ),
        (step(DependsOn=[{"Step": "A"}]), "DependsOn[0].Trigger: missing"),
        (
            step(PropertyFiles=[{"OutputName": "a", "FilePath": "b"}]),
            "PropertyFiles[0].PropertyFileName: missing",
        ),
        (step("Condition"), "step 'S', Arguments.Conditions: missing; it must be a list"),
        (step("Condition", Arguments={"Conditions": [], "Then": []}), "Arguments.Then: unknown key 'Then'"),
        (step("Condition", Arguments={"Conditions": [], "IfSteps": {}}), "Arguments.IfSteps: must be a list"),
    ],
)
def test_what_is_wrong_is_named(raw, message):
    assert any(message in found for found in refusals(raw)), refusals(raw)


def test_property_files_stay_inside_their_output_and_are_named_once():
    file = {"PropertyFileName": "R", "OutputName": "o", "FilePath": "../r.json"}
    assert refusals(step(PropertyFiles=[file, file])) == [
        "step 'S', PropertyFiles[0].FilePath: '../r.json' leads out of the output; give a path below it",
        "step 'S', PropertyFiles[1]: a second property file 'R'",
        "step 'S', PropertyFiles[1].FilePath: '../r.json' leads out of the output; give a path below it",
    ]
