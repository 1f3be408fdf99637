"""The kinds of steps that run here: which fields of their arguments are honoured, and what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from trainyard.definition.runnable import FieldRules
from trainyard.execution.request import JobRequest
from trainyard.execution.steps import model, processing, register_model, training
from trainyard.execution.steps.job import JobOutcome
from trainyard.execution.targets import Targets


class JobKind(Protocol):
    """A step that is a job; modules offer this."""

    # the job that resolved arguments ask for; raises Unsupported or DefinitionError
    def plan(
        self, step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets
    ) -> JobRequest: ...

    # the answer of the Describe call for the job when it has ended
    def describe(self, arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]: ...


JOB_KINDS: dict[str, JobKind] = {"Processing": processing, "Training": training}

RULES: dict[str, FieldRules] = {
    "Processing": processing.RULES,
    "Training": training.RULES,
    "Model": model.RULES,
    "RegisterModel": register_model.RULES,
    "Condition": FieldRules(honoured=frozenset({"Conditions", "IfSteps", "ElseSteps"})),
    "Fail": FieldRules(honoured=frozenset({"ErrorMessage"})),
}
