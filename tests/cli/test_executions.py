from __future__ import annotations

import json


def test_lists_and_shows(cli, definition) -> None:
    assert "no executions yet" in cli("executions").out
    cli("run", *definition)
    cli("run", *definition, "--set", "Word=bad")
    listed = cli("executions").out.splitlines()
    assert listed[0].split() == ["EXECUTION", "PIPELINE", "STATUS", "STARTED", "TOOK", "REASON"]
    assert "Failed" in listed[1] and "step Make" in listed[1]
    assert "Succeeded" in listed[2]
    assert len(json.loads(cli("executions", "--json", "--limit", "1").out)) == 1
    shown = cli("executions", "last")
    assert "Failed" in shown.out and "reason: step Make: AlgorithmError" in shown.out
    assert cli("executions", "none").code == 23
