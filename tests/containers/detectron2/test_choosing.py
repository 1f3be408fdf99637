"""Classes: all, some, or several as one."""

from __future__ import annotations

import pytest

KNOWN = ("car", "truck", "a,b", "person")


@pytest.fixture
def choosing(module):
    return module("choosing")


@pytest.mark.parametrize(
    ("text", "classes", "named"),
    [
        ("", KNOWN, {name: name for name in KNOWN}),
        ("person, car", ("person", "car"), {"person": "person", "car": "car"}),
        (
            "vehicle=car+truck,person",
            ("vehicle", "person"),
            {"car": "vehicle", "truck": "vehicle", "person": "person"},
        ),
        ('{"x": ["a,b", "car"]}', ("x",), {"a,b": "x", "car": "x"}),
    ],
)
def test_choices(choosing, text, classes, named):
    assert choosing.new_names(text, KNOWN) == (classes, named)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("cat", "no class 'cat' in the data; there are: car, truck"),
        ("car,car", "a class twice"),
        ("x=car,y=car", "'car' is in 'x' and in 'y'"),
        ("x=", "'x' is"),
        ("=car", "write names with commas"),
        ('{"x": "car"}', "'x' is 'car'"),
        ('{"x"', "is no JSON"),
    ],
)
def test_refused(module, choosing, text, wrong):
    with pytest.raises(module("findings").Refused, match=wrong):
        choosing.new_names(text, KNOWN)
