"""Every reason is reported, with a few examples."""

from __future__ import annotations

import itertools


def test_counts_examples_and_handling(module):
    findings = module("findings")
    found = findings.Findings(dict.fromkeys(findings.MEANINGS, "dropped") | {"gap": "left open"})
    found.add("duplicate", 3, itertools.count())
    found.add("duplicate", 40, itertools.count(100))
    found.add("missing_value", 0, (1 / 0 for _ in "x"))
    report = found.as_json()
    assert list(report) == list(findings.MEANINGS)
    assert report["duplicate"]["count"] == 43
    assert report["duplicate"]["examples"] == [0, 1, 2, 3, 4]
    assert report["missing_value"] == {
        "count": 0,
        "meaning": "a row without a value",
        "handling": "dropped",
        "examples": [],
    }
    assert report["gap"]["handling"] == "left open"
