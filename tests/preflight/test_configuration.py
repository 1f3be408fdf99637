from __future__ import annotations

from dataclasses import replace

import pytest

from trainyard.preflight import configuration
from trainyard.preflight.configuration import entry_point, labels, machine, settings

CAPABILITY = "com.amazonaws.sagemaker.capabilities"


def found(check, still):
    return [(finding.rule, finding.severity) for finding in check(still)]


def test_an_image_without_fault(still):
    image = still()
    for check in (entry_point, labels, settings, machine):
        assert found(check, image) == []


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        ((), []),
        (("/usr/bin/env",), []),
        (("python", "x.py"), []),
        (("/bin/sh", "-c", "train.sh"), [("shell-form", "error")]),
        (("bash", "-c", "exec x"), [("shell-form", "error")]),
        (("/bin/sh", "-c", 'exec "$@"', "sh"), []),  # this one takes arguments
        (("tini", "--"), [("init", "warning")]),
        (("/usr/local/bin/dumb-init", "--"), [("init", "warning")]),
    ],
)
def test_the_form_of_the_entry_point(still, entrypoint, expected):
    assert found(entry_point, still(entrypoint=entrypoint)) == expected


def test_labels_that_the_manifest_demands(still, multi_model):
    bare = still(labels={})
    assert [severity for _, severity in found(labels, bare)] == ["error", "error", "warning", "warning"]
    wrong = still(labels={**still().image.labels, f"{CAPABILITY}.multi-models": "yes"})
    assert ["yes" in finding.message for finding in labels(wrong)] == [True]
    single = replace(multi_model, serving=replace(multi_model.serving, multi_model=False))
    assert "multi_model = false" in next(iter(labels(replace(still(), family=single)))).message
    other = still(labels={**still().image.labels, "org.opencontainers.image.title": "somebody-elses"})
    assert [finding.message for finding in labels(other)] == [
        f"this is an image of somebody-elses, not of {multi_model.name}"
    ]


def test_port_user_and_volumes(still):
    assert found(settings, still(ports=("8080/tcp", "9090/tcp"), user="root:root")) == []
    assert found(settings, still(ports=("5000/tcp",))) == [("port", "warning")]
    assert found(settings, still(user="1000:1000")) == [("user", "error")]
    assert (
        found(settings, still(volumes=("/opt/ml/model", "/opt", "/data", "/opt/mla", "/opt/ml/")))
        == [("volume", "error")] * 3
    )


def test_architecture_and_size(still):
    [finding] = machine(still(architecture="arm64"))
    assert "arm64" in finding.message and "amd64" in finding.message
    assert found(machine, still(size=11 * 2**30)) == [("size", "warning")]
    assert configuration.shell_form(()) is False
