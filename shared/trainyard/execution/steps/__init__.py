"""The kinds of steps that run here: a module each, with the fields of Arguments it honours and what it does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.steps import condition, fail, model, processing, register_model, training
from trainyard.execution.steps.job_step import JobKind, run_job_step


class StepKind(NamedTuple):
    """``run`` does it; it may raise expected failures as UserError."""

    rules: FieldRules
    run: Callable[[Run, Step], StepEnd]


JOB_KINDS: dict[str, JobKind] = {"Processing": processing, "Training": training}

KINDS = {
    "Condition": StepKind(condition.RULES, condition.run),
    "Fail": StepKind(fail.RULES, fail.run),
    "Model": StepKind(model.RULES, model.run),
    "RegisterModel": StepKind(register_model.RULES, register_model.run),
    **{type_: StepKind(kind.RULES, partial(run_job_step, kind=kind)) for type_, kind in JOB_KINDS.items()},
}
RULES = {type_: kind.rules for type_, kind in KINDS.items()}
