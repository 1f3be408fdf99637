"""Fail steps: they end their execution as Failed, with a message."""

from __future__ import annotations

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.state import storable

RULES = FieldRules(honoured=frozenset({"ErrorMessage"}))


def run(run: Run, step: Step) -> StepEnd:
    message = storable(str(run.arguments(step).get("ErrorMessage", "")))
    return StepEnd(status="Failed", failure=message, metadata={"Fail": {"ErrorMessage": message}})
