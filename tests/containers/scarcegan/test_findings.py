"""Findings are counted by input, with a few examples, and all reasons are told."""

from __future__ import annotations

import json


def test_counts_and_examples(module):
    findings = module("findings")
    found = findings.Findings(dict.fromkeys(findings.MEANINGS, "dropped"))
    found.add("no_user", "data_risky", 0, [{"row": 0}])
    found.add("no_user", "data_risky", 3, ({"row": row} for row in range(3)))
    found.add("no_user", "data_heavy", 1_000, ({"row": row} for row in range(1_000)))
    report = json.loads(json.dumps(found.as_json()))
    assert set(report) == set(findings.MEANINGS)
    assert report["no_user"] == {
        "count": 1_003,
        "inputs": {"data_risky": 3, "data_heavy": 1_000},
        "meaning": "a row without a user",
        "handling": "dropped",
        "examples": [{"row": row} for row in (0, 1, 2, 0, 1)],
    }
    assert found.tell() == "1,003 no_user"
    assert report["missing_day"]["count"] == 0
