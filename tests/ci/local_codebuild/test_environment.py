from __future__ import annotations

from pathlib import Path

import pytest

from ci.local_codebuild import environment
from ci.local_codebuild.environment import Event, Identity, built_in, parse_event
from ci.local_codebuild.source import Origin
from trainyard.errors import UsageError

IDENTITY = Identity(project="p", uuid="u", number=3, started=1.5, region="eu-west-1")
ORIGIN = Origin(url="https://host/r.git", branch="feature", commit="c" * 40, previous="b" * 40)


def webhook(event: Event | None, origin: Origin = ORIGIN) -> dict[str, str]:
    found = built_in(IDENTITY, Path("/src"), origin, event)
    return {
        name.removeprefix("CODEBUILD_"): value
        for name, value in found.items()
        if "WEBHOOK" in name or name.endswith("SOURCE_VERSION")
    }


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("push:main", Event(kind="push", name="main")),
        ("push:a/b:c", Event(kind="push", name="a/b:c")),
        ("pr:7", Event(kind="pr", name="7", base="main")),
        ("pr:7:release/1", Event(kind="pr", name="7", base="release/1")),
        ("tag:v1", Event(kind="tag", name="v1")),
    ],
)
def test_events(text, event):
    assert parse_event(text) == event


@pytest.mark.parametrize("text", ["", "push", "push:", "pr:x", "pr:7:", "merge:main", "tag:"])
def test_other_events_are_refused(text):
    with pytest.raises(UsageError, match="give push:BRANCH, pr:NUMBER"):
        parse_event(text)


def test_what_a_build_of_nobody_in_particular_has():
    assert built_in(IDENTITY, Path("/src"), ORIGIN, None) == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:000000000000:build/p:u",
        "CODEBUILD_BUILD_ID": "p:u",
        "CODEBUILD_BUILD_IMAGE": "local",
        "CODEBUILD_BUILD_NUMBER": "3",
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": "local",
        "CODEBUILD_LOG_PATH": "u",
        "CODEBUILD_PROJECT_ARN": "arn:aws:codebuild:eu-west-1:000000000000:project/p",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "c" * 40,
        "CODEBUILD_SOURCE_REPO_URL": "https://host/r.git",
        "CODEBUILD_SOURCE_VERSION": "c" * 40,
        "CODEBUILD_SRC_DIR": "/src",
        "CODEBUILD_START_TIME": "1500",
    }


def test_a_push():
    assert webhook(Event(kind="push", name="main")) == {
        "RESOLVED_SOURCE_VERSION": "c" * 40,
        "SOURCE_VERSION": "c" * 40,
        "WEBHOOK_ACTOR_ACCOUNT_ID": "0",
        "WEBHOOK_EVENT": "PUSH",
        "WEBHOOK_TRIGGER": "branch/main",
        "WEBHOOK_HEAD_REF": "refs/heads/main",
        "WEBHOOK_PREV_COMMIT": "b" * 40,
    }


def test_the_first_push_of_a_branch():
    found = webhook(Event(kind="push", name="main"), Origin(url="u"))
    assert found["WEBHOOK_PREV_COMMIT"] == "0" * 40 and found["SOURCE_VERSION"] == "main"
    assert "RESOLVED_SOURCE_VERSION" not in found


def test_a_pull_request():
    assert webhook(Event(kind="pr", name="7", base="main")) == {
        "RESOLVED_SOURCE_VERSION": "c" * 40,
        "SOURCE_VERSION": "pr/7",
        "WEBHOOK_ACTOR_ACCOUNT_ID": "0",
        "WEBHOOK_EVENT": "PULL_REQUEST_UPDATED",
        "WEBHOOK_TRIGGER": "pr/7",
        "WEBHOOK_HEAD_REF": "refs/heads/feature",
        "WEBHOOK_BASE_REF": "refs/heads/main",
    }


def test_a_tag():
    found = webhook(Event(kind="tag", name="v1"))
    assert found["WEBHOOK_TRIGGER"] == "tag/v1" and found["WEBHOOK_HEAD_REF"] == "refs/tags/v1"
    assert found["SOURCE_VERSION"] == "v1" and found["WEBHOOK_PREV_COMMIT"] == "0" * 40


def test_assignments_are_literal():
    given = ["A=1", "B=$PATH:x=y", "C=", "A=2"]
    assert environment.parse_assignments("--env", given) == {"A": "2", "B": "$PATH:x=y", "C": ""}


@pytest.mark.parametrize("text", ["A", "=x", "1A=x", "A-B=x", "CODEBUILD_X=1"])
def test_assignments_that_cannot_be(text):
    with pytest.raises(UsageError, match=f"^--env {text}: "):
        environment.parse_assignments("--env", [text])


def test_what_the_caller_has_is_passed_on_without_the_runner_s_own():
    caller = {
        "HOME": "/h",
        "PATH": "/bin",
        "PYTHONPATH": "x",
        "CODEBUILD_BUILD_ID": "a:b",
        "PWD": "/",
        "_": "x",
    }
    assert environment.inherited(caller) == {"HOME": "/h", "PATH": "/bin"}


def test_the_region():
    assert environment.region_of({}) == "us-east-1"
    assert environment.region_of({"AWS_DEFAULT_REGION": "a"}) == "a"
    assert environment.region_of({"AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"}) == "b"
