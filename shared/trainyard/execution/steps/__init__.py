"""The kinds of steps that run here: a module each, with the fields of Arguments it honours and what it does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.steps import (
    callback,
    check,
    cleanup,
    condition,
    endpoint,
    endpoint_config,
    fail,
    for_each,
    lambda_,
    model,
    processing,
    register_model,
    training,
    transform,
    tuning,
)
from trainyard.execution.steps.job_step import JobKind, run_job_step


class StepKind(NamedTuple):
    """``run`` does it; it may raise expected failures as UserError."""

    rules: FieldRules
    run: Callable[[Run, Step], StepEnd]


JOB_KINDS: dict[str, JobKind] = {
    "ClarifyCheck": check,
    "Processing": processing,
    "QualityCheck": check,
    "Training": training,
}

KINDS = {
    "Callback": StepKind(callback.RULES, callback.run),
    "Cleanup": StepKind(cleanup.RULES, cleanup.run),
    "Condition": StepKind(condition.RULES, condition.run),
    "Endpoint": StepKind(endpoint.RULES, endpoint.run),
    "EndpointConfig": StepKind(endpoint_config.RULES, endpoint_config.run),
    "Fail": StepKind(fail.RULES, fail.run),
    "ForEach": StepKind(for_each.RULES, for_each.run),
    "Lambda": StepKind(lambda_.RULES, lambda_.run),
    "Model": StepKind(model.RULES, model.run),
    "RegisterModel": StepKind(register_model.RULES, register_model.run),
    "Transform": StepKind(transform.RULES, transform.run),
    "Tuning": StepKind(tuning.RULES, tuning.run),
    **{type_: StepKind(kind.RULES, partial(run_job_step, kind=kind)) for type_, kind in JOB_KINDS.items()},
    "ClarifyCheck": StepKind(check.RULES, check.run),
    "QualityCheck": StepKind(check.RULES, check.run),
}
RULES = {type_: kind.rules for type_, kind in KINDS.items()}
