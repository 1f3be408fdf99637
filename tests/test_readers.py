from __future__ import annotations

import pytest

from trainyard.readers import Key, check, closest, list_of, named, one_of, shown, table, text

COLOURS = table(
    {
        "colour": Key(one_of("red", "green")),
        "names": Key(list_of(text("[a-z]+", "must be lower case"), at_least=1), required=False, default=()),
        "sizes": Key(named("[a-z]", check(lambda size: size > 0, "must be positive")), required=False),
    }
)


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({"colour": "blue"}, ['at.colour = "blue": not one of: red, green']),
        ({"colour": 3}, ["at.colour = 3: not one of: red, green"]),
        ({}, ["at.colour: missing"]),
        (
            {"colour": "red", "color": "red"},
            ["at.color: no such key; did you mean colour?; known: colour, names, sizes"],
        ),
        ({"colour": "red", "names": "ada"}, ['at.names = "ada": must be a list with at least 1 in it']),
        ({"colour": "red", "names": []}, ["at.names = []: must be a list with at least 1 in it"]),
        ({"colour": "red", "names": ["a", "B"]}, ['at.names[1] = "B": must be lower case']),
        ({"colour": "red", "sizes": [1]}, ["at.sizes = [1]: must be a table"]),
        (
            {"colour": "red", "sizes": {"Z": 1, "a": 0}},
            ["at.sizes.Z: a name here matches [a-z]", "at.sizes.a = 0: must be positive"],
        ),
        ("red", ['at = "red": must be a table']),
        ({"colour": 1, "names": 1, "x": 1}, ["at.x: no such key", "at.colour = 1", "at.names = 1"]),
    ],
)
def test_all_problems_are_told_with_their_place(document, problems):
    found = []
    COLOURS(document, "at", found)
    assert len(found) == len(problems)
    assert all(line.startswith(start) for line, start in zip(found, problems, strict=True)), found


def test_what_is_read_has_its_defaults():
    problems = []
    assert COLOURS({"colour": "red"}, "", problems) == {"colour": "red", "names": (), "sizes": None}
    assert COLOURS({"colour": "red", "names": ["a"], "sizes": {"b": 1}}, "", problems) == {
        "colour": "red",
        "names": ("a",),
        "sizes": {"b": 1},
    }
    assert problems == []


def test_shown_is_one_short_line():
    assert shown("two\nlines") == '"two\\nlines"'
    assert len(shown(list(range(1000)))) == 80


def test_closest_offers_only_what_is_near():
    assert closest("prohpet", ["prophet", "detectron2"]) == "; did you mean prophet?"
    assert closest("xyz", ["prophet"]) == ""
