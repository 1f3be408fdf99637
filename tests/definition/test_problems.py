from __future__ import annotations

import pytest

from trainyard.definition.problems import (
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Problems,
    Where,
    kind_of,
    possible,
    shown,
)
from trainyard.errors import DefinitionError, ParameterError

TOP = Where()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (1, "an integer"),
        (1.0, "a number"),
        ("", "a string"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_kind_of(value, kind):
    assert kind_of(value) == kind


def test_where_reads_like_the_path_to_the_field():
    where = Where("step 'Train'").at("RetryPolicies", 0, "MaxAttempts")
    assert str(where) == "step 'Train', RetryPolicies[0].MaxAttempts"
    assert str(TOP) == "the definition"
    assert str(TOP.at("Steps", 3)) == "Steps[3]"


def test_long_values_are_cut():
    assert shown("x" * 500) == '"' + "x" * 79 + "..."


def test_possible_names_the_closest():
    assert possible("Trian", ["Test", "Train"]) == "did you mean 'Train'? possible: Test, Train"
    assert possible("x", []) == "possible: none"
    assert possible("x", [f"n{index:03}" for index in range(50)]).endswith("n039, and 10 more")


def test_a_field_has_its_type_or_is_a_problem():
    problems = Problems()
    raw = {"Name": "Train", "Count": "three", "Share": 1, "Flag": True, "Null": None}
    assert problems.field(raw, "Name", STRING, TOP) == "Train"
    assert problems.field(raw, "Share", NUMBER, TOP) == 1  # an integer is a number
    assert problems.field(raw, "Null", STRING, TOP) is None
    assert problems.messages == []
    assert problems.field(raw, "Count", INTEGER, TOP) is None
    assert problems.field(raw, "Flag", INTEGER, TOP) is None  # true is not 1
    assert problems.field(raw, "Null", OBJECT, TOP, required=True) is None
    assert problems.messages == [
        'Count: must be an integer, not a string ("three")',
        "Flag: must be an integer, not true or false (true)",
        "Null: missing; it must be an object",
    ]


def test_one_problem_is_the_message_and_several_are_a_list():
    problems = Problems()
    problems.raise_if_any("nothing is raised")
    problems.add(TOP.at("A"), "first")
    with pytest.raises(DefinitionError, match=r"^A: first$"):
        problems.raise_if_any("not shown")
    problems.add(TOP.at("B"), "second")
    with pytest.raises(ParameterError, match=r"^bad \(2 problems\):\n  A: first\n  B: second$"):
        problems.raise_if_any("bad", ParameterError)
