from __future__ import annotations

import base64
import json

import pytest

from trainyard.images.credentials import credentials

HOST = "ecr.example:5000"
STORED = base64.b64encode(b"me:stored").decode()


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return lambda document: (tmp_path / "config.json").write_text(
        document if isinstance(document, str) else json.dumps(document)
    )


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """``docker-credential-test``, which prints what it is told to."""

    def make(script: str) -> None:
        program = tmp_path / "docker-credential-test"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_what_docker_login_stored_is_taken(config):
    config({"auths": {HOST: {"auth": STORED}, "other": {"auth": "x"}}})
    assert credentials(HOST) == STORED
    assert credentials("elsewhere") == ""


@pytest.mark.parametrize("document", [{"credHelpers": {HOST: "test"}}, {"credsStore": "test"}])
def test_a_helper_is_asked_for_the_host(config, helper, document):
    helper('read host\necho "{\\"Username\\": \\"me\\", \\"Secret\\": \\"$host\\"}"')
    config(document)
    assert base64.b64decode(credentials(HOST)) == f"me:{HOST}".encode()


@pytest.mark.parametrize("script", ["exit 1", "echo garbage", "echo []", "echo '{}'"])
def test_a_helper_that_does_not_help_leaves_what_is_stored(config, helper, script):
    helper(script)
    config({"credsStore": "test", "auths": {HOST: {"auth": STORED}}})
    assert credentials(HOST) == STORED
    config({"credsStore": "missing"})
    assert credentials(HOST) == ""


@pytest.mark.parametrize(
    "document",
    [
        "{bad", "\ufeff", "[]", "null", {"credHelpers": None}, {"credHelpers": []}, {"credsStore": 5},
        {"auths": None}, {"auths": {HOST: None}}, {"auths": {HOST: {"auth": None}}},
        {"auths": {HOST: {"auth": "a\nb"}}}, {"auths": {HOST: {"auth": "\u4e2d"}}},
    ],
)  # fmt: skip
def test_a_configuration_that_is_damaged_knows_nobody(config, document):
    config(document)
    assert credentials(HOST) == ""


def test_without_a_configuration_nobody_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    assert credentials(HOST) == ""
