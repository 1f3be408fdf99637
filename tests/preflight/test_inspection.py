"""Real images, each broken in its own way: every fault has its name, and a good image has none."""

from __future__ import annotations

import pytest

from trainyard.images.engine import Engine
from trainyard.preflight.inspection import CONFIGURATION, FILES, LAYERS, inspect

SECRETS = ("--build-arg", "PYPI_TOKEN=hunter2")
FAULTS = {
    "good": set(),
    "bad": {"shell-form", "crlf", "no-serve", "label"},
    "worse": {
        "not-executable", "broken-link", "no-interpreter", "forbidden-file", "secret-history", "hidden", "pickle",
    },
}  # fmt: skip


@pytest.mark.parametrize("target", FAULTS)
def test_each_fault_of_an_image_is_named_and_nothing_else(engine: Engine, toy_image, multi_model, target):
    results = list(inspect(engine, multi_model, toy_image(target, *SECRETS)))
    names = [[check.name for check in checks] for checks in (CONFIGURATION, FILES)]
    assert [result.name for result in results] == [*names[0], LAYERS, *names[1]]
    findings = [finding for result in results for finding in result.findings]
    assert {finding.rule for finding in findings} == FAULTS[target], findings
    assert not any("hunter2" in finding.message for finding in findings)
    forbidden = [finding.message for finding in findings if finding.rule == "forbidden-file"]
    for path in ("/root/.aws/credentials", "/opt/ml/code/.git", "/etc/pip.conf", "/root/server.pem"):
        found = [message for message in forbidden if message.startswith(f"{path} ")]
        assert len(found) == (target == "worse")
        assert all("A later layer deletes it" in message for message in found)
    assert len(forbidden) in (0, 4), "the key in /usr/share is public"


def test_without_layers_only_the_configuration_is_looked_at(engine: Engine, toy_image, multi_model):
    results = list(inspect(engine, multi_model, toy_image("settings"), layers=False))
    assert [result.name for result in results] == [check.name for check in CONFIGURATION]
    assert {finding.rule for result in results for finding in result.findings} == {
        "port", "user", "volume", "label", "init", "secret-env",
    }  # fmt: skip
