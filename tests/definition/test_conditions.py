from __future__ import annotations

from typing import Any

import pytest

from trainyard.definition.conditions import TYPES, explain, hold, read, read_all
from trainyard.definition.problems import Problems, Where
from trainyard.definition.properties import Path
from trainyard.errors import ExpressionError


class Run:
    def parameter(self, name: str) -> Any:
        return {"Depth": 7, "Whole": 7.0, "Text": "7", "Flag": True, "Nan": float("nan")}[name]

    def execution(self, variable: str) -> Any:
        raise ExpressionError("unknown")

    def experiment(self, name: str) -> Any:
        raise ExpressionError("unknown")

    def step_property(self, step: str, path: Path) -> Any:
        raise ExpressionError("has not run")

    def property_file(self, step: str, name: str) -> Any:
        return {"mase": 0.5}

    def s3_json(self, uri: str) -> Any:
        return {}


def compare(type_: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": type_, "LeftValue": left, "RightValue": right}


def parameter(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def conditions(*raw: Any) -> tuple[Any, ...]:
    problems = Problems()
    found = read_all(list(raw), Where(), problems)
    assert problems.messages == []
    return found


MASE = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"}, "Path": "mase"}}
TRUE, FALSE = compare("Equals", 1, 1), compare("Equals", 1, 2)
TABLE = [
    (compare("Equals", 7, parameter("Whole")), True),  # an integer equals the float of its value
    (compare("Equals", "a", "a"), True),
    (compare("Equals", parameter("Flag"), True), True),
    (compare("NotEquals", "a", "b"), True),
    (compare("NotEquals", 2, 2.0), False),
    (compare("GreaterThan", parameter("Depth"), 6.5), True),
    (compare("GreaterThan", 7, 7.0), False),
    (compare("GreaterThanOrEqualTo", 7, 7.0), True),
    (compare("LessThan", MASE, 1), True),
    (compare("LessThan", 1, MASE), False),
    (compare("LessThanOrEqualTo", MASE, 0.5), True),
    (compare("LessThan", "2026-01-01", "2026-02-01"), True),
    ({"Type": "In", "QueryValue": parameter("Depth"), "Values": [1, 7.0]}, True),
    ({"Type": "In", "Value": "a", "In": ["b", "c"]}, False),
    ({"Type": "In", "QueryValue": "a", "Values": []}, False),
    ({"Type": "NotIn", "Value": "a", "In": ["b", "c"]}, True),
    ({"Type": "NotIn", "QueryValue": 7, "Values": [parameter("Depth")]}, False),
    ({"Type": "Not", "Condition": FALSE}, True),
    ({"Type": "Not", "Condition": {"Type": "Not", "Condition": FALSE}}, False),
    ({"Type": "Or", "Conditions": [FALSE, TRUE]}, True),
    ({"Type": "Or", "Conditions": [FALSE, {"Type": "Not", "Condition": TRUE}]}, False),
    ({"Type": "Or", "Conditions": []}, False),
]


@pytest.mark.parametrize(("raw", "outcome"), TABLE)
def test_each_operator(raw, outcome):
    assert hold(conditions(raw), Run()) is outcome


def test_the_table_has_every_operator():
    assert {raw["Type"] for raw, _ in TABLE} == set(TYPES)


@pytest.mark.parametrize(("raw", "outcome"), [([], True), ([TRUE, TRUE], True), ([TRUE, FALSE], False)])
def test_conditions_are_anded(raw, outcome):
    assert hold(conditions(*raw), Run()) is outcome


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (compare("Equals", "7", 7), r'Equals cannot compare "7" \(a string\) and 7 \(an integer\)'),
        (compare("LessThan", MASE, parameter("Text")), r'0\.5 \(a number\) and "7" \(a string\)'),
        (compare("Equals", True, 1), r"true \(true or false\) and 1 \(an integer\)"),
        (compare("GreaterThan", True, False), "both must be a string or both a number"),
        (compare("Equals", None, None), "null"),
        (compare("Equals", [1], [1]), "a list"),
        ({"Type": "In", "QueryValue": 1, "Values": [1, "b"]}, '1 .an integer. and "b"'),
        (compare("GreaterThan", parameter("Nan"), 1), "NaN is neither above nor below"),
        ({"Type": "Not", "Condition": compare("GreaterThan", parameter("Nan"), 1)}, "NaN"),
        (compare("Equals", {"Get": "Steps.A.b"}, 1), r"Steps\.A\.b: has not run"),
        (
            {"Type": "Or", "Conditions": [TRUE, compare("Equals", "7", 7)]},
            "cannot compare",
        ),  # none stays hidden
    ],
)
def test_what_cannot_be_compared(raw, message):
    with pytest.raises(ExpressionError, match=message):
        hold(conditions(raw), Run())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("x", 'the definition: must be an object, not a string ("x")'),
        ({"Type": "Like"}, "Type: unknown condition type 'Like'; possible: Equals, GreaterThan"),
        ({"Type": "Equals", "LeftValue": 1}, "RightValue: missing; a condition of type Equals needs LeftV"),
        ({**TRUE, "Extra": 1}, "Extra: unknown key 'Extra'; possible: LeftValue, RightValue, Type"),
        ({"Type": "In", "Value": 1, "In": 1}, "In: must be a list, not an integer (1)"),
        ({"Type": "Not", "Condition": {"Type": "Equals"}}, "Condition.LeftValue: missing"),
        ({"Type": "Or", "Conditions": [1]}, "Conditions[0]: must be an object, not an integer (1)"),
    ],
)
def test_malformed_conditions(raw, message):
    problems = Problems()
    read(raw, Where(), problems)
    assert problems.messages[0].startswith(message)


def test_explain():
    several = conditions(
        compare("LessThanOrEqualTo", MASE, 1.0),
        {
            "Type": "Or",
            "Conditions": [{"Type": "Not", "Condition": TRUE}, {"Type": "In", "Value": "a", "In": ["b"]}],
        },
    )
    assert explain(several, Run()) == 'mase 0.5 <= 1 and (not (1 = 1) or "a" in ["b"])'
