"""Gradients that vanish or explode are found, by name; others are not."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def health(module):
    return module("gradient_health")


@pytest.fixture
def shape(module):
    return module("architecture").Architecture(6, 4, body=(5, 3), noise=2, generator_width=4)


@pytest.fixture
def state(module, shape):
    """Gradients of .01 everywhere, in each of 100 steps."""
    states = module("state")
    return states.State(*(np.ones(one, np.float32) for one in states.shapes(shape)))


def test_means_are_per_step_and_tensor_of_the_loss(health, shape, state):
    means = health.means(state, 100, shape)
    assert list(means) == ["supervised", "real", "fake", "generator"]
    assert "unsupervised.kernel" not in means["supervised"] and "supervised.kernel" not in means["fake"]
    assert set(means["real"]) == {n for n in shape.discriminator() if not n.startswith("supervised")}
    assert set(means["generator"]) == set(shape.generator())
    assert {value for tensors in means.values() for value in tensors.values()} == {0.01}
    assert health.findings(means, "m", 100) == []


def test_what_vanishes_and_explodes_is_named(health, shape, state):
    state.fake_gradient[:30] = 0  # the first kernel, 6 x 5
    state.generator_gradient[-1] = np.inf  # one of the last bias
    found = health.findings(health.means(state, 100, shape), "fold_1", 500)
    assert [(f.rule, f.loss, f.tensor, f.value) for f in found] == [
        ("VanishingGradient", "fake", "body.0.kernel", 0.0),
        ("ExplodingTensor", "generator", "generator.1.bias", None),
    ]
    report = json.loads(json.dumps(health.report(found), allow_nan=False))
    statuses = {s["RuleConfigurationName"]: s for s in report["DebugRuleEvaluationStatuses"]}
    assert statuses["VanishingGradient"]["StatusDetails"] == (
        "VanishingGradient in model fold_1 before iteration 500: the gradient of the fake loss by body.0.kernel "
        "is 0 on average, under 1e-07"
    )
    assert statuses["ExplodingTensor"]["RuleEvaluationStatus"] == "IssuesFound"
    assert statuses["ExplodingTensor"]["StatusDetails"].endswith("by generator.1.bias is not finite")


def test_one_part_in_ten_million_is_the_border(health):
    assert health.findings({"real": {"a": 1.01e-7}}, "m", 1) == []
    assert len(health.findings({"real": {"a": 0.99e-7}}, "m", 1)) == 1
    assert len(health.findings({"real": {"a": float("nan")}}, "m", 1)) == 1


def test_no_findings_are_told_too(health):
    assert health.report([]) == {
        "DebugRuleEvaluationStatuses": [
            {"RuleConfigurationName": rule, "RuleEvaluationStatus": "NoIssuesFound"}
            for rule in ("VanishingGradient", "ExplodingTensor")
        ],
        "findings": [],
    }
