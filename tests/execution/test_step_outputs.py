from __future__ import annotations

import pytest

from trainyard.errors import ParameterError
from trainyard.execution.step_outputs import listed, typed


def declared(**types: str) -> list[dict[str, str]]:
    return [{"OutputName": name, "OutputType": type_} for name, type_ in types.items()]


def test_outputs_have_their_types() -> None:
    outputs = declared(s="String", i="Integer", f="Float", b="Boolean", j="String")
    given = {"s": 200, "i": "3", "f": "0.5", "b": "True", "j": {"a": 1}, "more": None}
    assert typed(outputs, given, "here") == {"s": "200", "i": 3, "f": 0.5, "b": True, "j": '{"a": 1}'}
    assert typed(outputs, {**given, "i": 3, "f": 1, "b": False}, "here")["b"] is False


def test_all_that_is_wrong_is_said() -> None:
    with pytest.raises(ParameterError) as raised:
        typed(declared(a="Integer", b="String", c="Boolean"), {"a": "x", "c": [1]}, "here")
    assert str(raised.value) == (
        "here: output 'a': \"x\" is not an integer; no output 'b'; given: a, c; output 'c': [1] is not true or false"
    )


def test_they_are_listed_as_text() -> None:
    assert listed({"a": 1, "b": True, "c": "x"}) == [
        {"Name": "a", "Value": "1"}, {"Name": "b", "Value": "true"}, {"Name": "c", "Value": "x"},
    ]  # fmt: skip
