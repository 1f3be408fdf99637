"""Findings are counted by reason, with the first places."""

from __future__ import annotations

import pytest


def test_counts_and_first_examples(module):
    findings = module("findings").Findings({"empty_box": "dropped"})
    for number in range(7):
        findings.add("empty_box", f"place {number}")
    told = findings.as_json()
    assert told["empty_box"] == {
        "count": 7,
        "meaning": "a box without width or height",
        "handling": "dropped",
        "examples": [f"place {number}" for number in range(5)],
    }
    assert told["tiny_box"]["count"] == 0 and told["tiny_box"]["handling"] == "kept"


def test_refusing_says_how_many_of_what(module):
    names = module("findings")
    findings = names.Findings({})
    findings.refuse(names.BAD_BOXES, "--x")
    findings.add("tiny_box", "anywhere")
    findings.refuse(names.BAD_BOXES, "--x")
    findings.add("empty_box", "a.json, annotation 3")
    with pytest.raises(
        names.Refused,
        match=r"^a.json, annotation 3: a box without width or height. Correct the data, or set --x$",
    ):
        findings.refuse(names.BAD_BOXES, "--x")
    findings.add("box_outside", "b")
    with pytest.raises(names.Refused, match=r", and 1 more \(1 empty_box, 1 box_outside\)"):
        findings.refuse(names.BAD_BOXES, "--x")


def test_every_reason_that_is_refused_has_a_meaning(module):
    names = module("findings")
    assert set(names.BAD_BOXES + names.BAD_IMAGES) < set(names.MEANINGS)
