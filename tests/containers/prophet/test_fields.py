"""Fields are taken out with care."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("value", [True, "1", None, [1], float("nan"), float("inf"), 10**400])
def test_what_is_no_number(module, value):
    fields = module("fields")
    assert not fields.number(value) and not fields.positive(value)
    assert not fields.whole(0)(value)


def test_what_is_one(module):
    fields = module("fields")
    assert fields.number(-1.5) and fields.number(0) and fields.positive(5e-324)
    assert not fields.positive(0) and not fields.whole(1)(0) and not fields.whole(0)(1.0)
    assert fields.whole(1, 3)(3) and not fields.whole(1, 3)(4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "'a' is missing"),
        ({"a": 1}, "'a' is 1, not a list of numbers"),
        ({"a": [1, "x"]}, "'a' has \"x\", not numbers"),
        ({"a": [1]}, "'a' has 1 numbers, not 2"),
        ({"a": [1, 2.5], "b": 1}, "unknown: 'b'"),
    ],
)
def test_what_is_odd_is_named(module, content, message):
    module("fields")
    fields = module("fields").Fields(content)
    with pytest.raises(module("fields").BadModel, match=re.escape(message)):
        assert fields.numbers("a", 2).tolist() == [1.0, 2.5]
        fields.none_left()
