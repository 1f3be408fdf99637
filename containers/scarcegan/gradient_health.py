"""Whether gradients vanish or explode while a model trains, told as SageMaker Debugger tells of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from architecture import Architecture, unflatten
from state import State

VANISHING = 1e-7  # as Debugger's rule VanishingGradient has it
RULES = ("VanishingGradient", "ExplodingTensor")


@dataclass(frozen=True)
class Finding:
    """One tensor whose gradient was wrong on average over the steps before ``iteration``."""

    rule: str
    model: str
    iteration: int
    loss: str
    tensor: str
    value: float | None  # the mean absolute gradient; None where it is not finite

    def __str__(self) -> str:
        wrong = (
            "is not finite" if self.value is None else f"is {self.value:.2g} on average, under {VANISHING:g}"
        )
        return (
            f"{self.rule} in model {self.model} before iteration {self.iteration}: "
            f"the gradient of the {self.loss} loss by {self.tensor} {wrong}"
        )


def means(state: State, steps: int, architecture: Architecture) -> dict[str, dict[str, float]]:
    """The mean absolute gradient of each loss by each of the tensors that it moves."""
    found: dict[str, dict[str, float]] = {}
    for loss, vector, shapes, other in (
        ("supervised", state.supervised_gradient, architecture.discriminator(), "unsupervised."),
        ("real", state.real_gradient, architecture.discriminator(), "supervised."),
        ("fake", state.fake_gradient, architecture.discriminator(), "supervised."),
        ("generator", state.generator_gradient, architecture.generator(), "none"),
    ):
        tensors = unflatten(np.asarray(vector), shapes)
        found[loss] = {
            name: float(tensor.mean(dtype=np.float64)) / steps
            for name, tensor in tensors.items()
            if not name.startswith(other)
        }
    return found


def findings(measured: Mapping[str, Mapping[str, float]], model: str, iteration: int) -> list[Finding]:
    found = []
    for loss, tensors in measured.items():
        for tensor, mean in tensors.items():
            if not np.isfinite(mean):
                found.append(Finding("ExplodingTensor", model, iteration, loss, tensor, None))
            elif mean < VANISHING:
                found.append(Finding("VanishingGradient", model, iteration, loss, tensor, mean))
    return found


def report(found: list[Finding]) -> dict[str, Any]:
    """In the shape of DescribeTrainingJob's DebugRuleEvaluationStatuses, with all findings behind it."""
    statuses = []
    for rule in RULES:
        first = next((finding for finding in found if finding.rule == rule), None)
        status = {
            "RuleConfigurationName": rule,
            "RuleEvaluationStatus": "IssuesFound" if first else "NoIssuesFound",
        }
        statuses.append({**status, "StatusDetails": str(first)} if first else status)
    return {"DebugRuleEvaluationStatuses": statuses, "findings": [asdict(finding) for finding in found]}
