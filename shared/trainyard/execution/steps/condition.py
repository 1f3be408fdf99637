"""Condition steps: which branch runs."""

from __future__ import annotations

from trainyard.definition import conditions
from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.execution.run import Run, StepEnd

RULES = FieldRules(honoured=frozenset({"Conditions", "IfSteps", "ElseSteps"}))


def run(run: Run, step: Step) -> StepEnd:
    outcome = conditions.hold(step.conditions, run.scope())
    text = str(outcome)
    detail = f"{conditions.explain(step.conditions, run.scope())} is {text.lower()}"
    return StepEnd(
        status="Succeeded",
        result={"Outcome": text},
        metadata={"Condition": {"Outcome": text, "Explanation": detail}},
        detail=detail,
    )
