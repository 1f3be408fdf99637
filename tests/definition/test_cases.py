"""Every folder of tests/definitions: a definition, and what it must mean or how it must be refused.

expect.json has ``parameters`` given to the run and either ``order`` and ``dependencies`` (with ``values`` and
``not_taken`` where they matter), or ``error`` and the fragments that its message ``contains``. ``supported``
are field rules: what could run where the definition is to be checked for that too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainyard import errors
from trainyard.definition.document import parse
from trainyard.definition.order import order
from trainyard.definition.parameters import resolve_parameters
from trainyard.definition.runnable import FieldRules, check_runnable

CASES = sorted((Path(__file__).parents[1] / "definitions").iterdir())


def outcome(definition: str, expect: dict[str, Any]) -> dict[str, Any]:
    document = parse(definition)
    values = resolve_parameters(document, expect.get("parameters", {}))
    if "supported" in expect:
        check_runnable(document, {kind: rules(**lists) for kind, lists in expect["supported"].items()})
    plan = order(document)
    return {
        "values": values,
        "order": list(plan.sequence),
        "dependencies": {step: sorted(waits) for step, waits in plan.dependencies.items()},
        "not_taken": {
            step.name: {text: sorted(plan.not_taken(step.name, text == "true")) for text in ("true", "false")}
            for step in document.all_steps()
            if step.type == "Condition"
        },
    }


def rules(honoured: list[str], without_effect: tuple[str, ...] = (), **values: Any) -> FieldRules:
    return FieldRules(honoured=frozenset(honoured), without_effect=frozenset(without_effect), **values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path) -> None:
    definition = (case / "definition.json").read_text()
    expect = json.loads((case / "expect.json").read_text())
    if "error" in expect:
        with pytest.raises(errors.UserError) as raised:
            outcome(definition, expect)
        assert type(raised.value).__name__ == expect["error"]
        assert [part for part in expect["contains"] if part not in str(raised.value)] == [], str(raised.value)
    else:
        found = outcome(definition, expect)
        assert {key: found[key] for key in found if key in expect} == {
            key: expect[key] for key in expect if key != "parameters"
        }
