from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.local_codebuild import document


def problems_of(text: str) -> list[str]:
    problems: list[str] = []
    assert document.load(text, problems) is None or not problems
    return problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        ("# only a comment", "the file is empty"),
        ("a: [1", "line 1, column 6: not YAML"),
        ("a:\n\tb: 1", "line 2, column 1: not YAML"),
        ("a: 1\na: 2", "the file, line 2: the key a is there twice"),
        ("a: {b: 1, b: 2}", "a, line 1: the key b is there twice"),
        ("on: 1", 'the file, line 1: YAML reads the key "on" as bool'),
        ("a: [{1: x}]", 'a[0], line 1: YAML reads the key "1" as int'),
        ("a: &x [*x]", "a[0]: an alias of something that it is part of"),
        ("a: !!python/object/apply:os.system [x]", "line 1, column 4: not YAML"),
        ("a: 2020-13-45", "not YAML: month must be"),
        ("a: \x01", "not YAML: unacceptable character"),
        ("[" * 3000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text, problem):
    (found,) = problems_of(text)
    assert problem in found


def test_aliases_and_merged_mappings_are_read():
    problems: list[str] = []
    text = "a: &a {x: one}\nb: {<<: *a, y: two}\nc: *a"
    assert document.load(text, problems)["b"] == {"x": "one", "y": "two"} and problems == []


@given(st.text(max_size=60))
def test_any_text_is_read_or_a_problem(text):
    problems: list[str] = []
    document.load(text, problems)
    assert all(problem and "\n" not in problem for problem in problems)


@pytest.mark.parametrize(
    ("reader", "value", "good"),
    [
        (document.command, "echo 'a: b'", True),
        (document.command, {"echo a": "b"}, False),
        (document.command, " ", False),
        (document.command, None, False),
        (document.literal, "", True),
        (document.literal, "on", True),
        (document.literal, True, False),
        (document.literal, 0.5, False),
        (document.literal, None, False),
        (document.literal, "a\0", False),
        (document.switch, "YES", True),
        (document.switch, False, True),
        (document.switch, 1, False),
        (document.switch, "on", False),
        (document.variables(document.literal), {"A_1": ""}, True),
        (document.variables(document.literal), {"1A": ""}, False),
        (document.variables(document.literal), {"CODEBUILD_X": ""}, False),
        (document.string_or_list, "a", True),
        (document.string_or_list, [], False),
        (document.PATTERNS, ["**/*", "a..b"], True),
        (document.PATTERNS, ["a/../b"], False),
        (document.PATTERNS, ["/a"], False),
        (document.IDENTIFIED, "a_1", True),
        (document.IDENTIFIED, "a-1", False),
    ],
)
def test_kinds_of_value(reader, value, good):
    problems: list[str] = []
    reader(value, "the.place", problems)
    assert (problems == []) == good
    assert all(problem.startswith("the.place") for problem in problems)


def test_quoted_yes_is_yes():
    assert document.switch("yes", "", []) is True and document.switch("No", "", []) is False
