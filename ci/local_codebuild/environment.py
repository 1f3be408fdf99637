"""The variables that a build begins with, and the events that start builds.

Source: https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.local_codebuild.document import VARIABLE
from ci.local_codebuild.source import Origin
from trainyard.errors import UsageError

ACCOUNT = "000000000000"
_NO_COMMIT = "0" * 40  # what GitHub sends as the commit before the first
# Of the caller's variables: the runner's own, and what another build that it runs in was given.
_NOT_PASSED_ON = re.compile(r"CODEBUILD_.*|PYTHONPATH|PWD|OLDPWD|SHLVL|_")


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a webhook reports: ``kind`` push, pr or tag; ``name``: the branch, the number or the tag."""

    kind: str
    name: str
    base: str = "main"  # the branch that a pull request goes to


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What tells a build from others; ``started``: seconds since the epoch; ``task``: its name in a batch."""

    project: str
    uuid: str
    number: int
    started: float
    region: str
    task: str | None = None

    @property
    def build_id(self) -> str:
        return f"{self.project}:{self.uuid}"


def parse_event(text: str) -> Event:
    """``push:BRANCH``, ``pr:NUMBER``, ``pr:NUMBER:BASE`` or ``tag:NAME``; raises UsageError."""
    kind, _, rest = text.partition(":")
    if kind in ("push", "tag") and rest:
        return Event(kind=kind, name=rest)
    if kind == "pr" and (found := re.fullmatch(r"([0-9]+)(?::(.+))?", rest)):
        return Event(kind=kind, name=found[1], base=found[2] or "main")
    raise UsageError(f"--event {text}: give push:BRANCH, pr:NUMBER, pr:NUMBER:BASE or tag:NAME")


def parse_assignments(option: str, given: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` as variables; raises UsageError for another form, or a reserved name."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(VARIABLE, name):
            raise UsageError(f"{option} {text}: give NAME=VALUE with a name that matches {VARIABLE}")
        if name.startswith("CODEBUILD_"):
            raise UsageError(f"{option} {text}: names that begin with CODEBUILD_ are reserved")
        found[name] = value
    return found


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's variables that stand for those of the build image."""
    return {name: value for name, value in environment.items() if not _NOT_PASSED_ON.fullmatch(name)}


def region_of(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"


def built_in(identity: Identity, folder: Path, origin: Origin, event: Event | None) -> dict[str, str]:
    """The variables that CodeBuild sets; ``folder``: where the source lies."""
    prefix = f"arn:aws:codebuild:{identity.region}:{ACCOUNT}"
    variables: dict[str, str | None] = {
        "AWS_REGION": identity.region,
        "AWS_DEFAULT_REGION": identity.region,
        "CODEBUILD_BATCH_BUILD_IDENTIFIER": identity.task,
        "CODEBUILD_BUILD_ARN": f"{prefix}:build/{identity.build_id}",
        "CODEBUILD_BUILD_ID": identity.build_id,
        "CODEBUILD_BUILD_IMAGE": "local",
        "CODEBUILD_BUILD_NUMBER": str(identity.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": "GitHub-Hookshot/local" if event else "local",
        "CODEBUILD_LOG_PATH": identity.uuid,
        "CODEBUILD_PROJECT_ARN": f"{prefix}:project/{identity.project}",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": origin.commit,
        "CODEBUILD_SOURCE_REPO_URL": origin.url,
        "CODEBUILD_SOURCE_VERSION": _version(origin, event),
        "CODEBUILD_SRC_DIR": str(folder),
        "CODEBUILD_START_TIME": str(int(identity.started * 1000)),
        **(_webhook(origin, event) if event else {}),
    }
    return {name: value for name, value in variables.items() if value is not None}


def _version(origin: Origin, event: Event | None) -> str | None:
    if event and event.kind == "pr":
        return f"pr/{event.name}"
    if event and event.kind == "tag":
        return event.name
    return origin.commit or (event.name if event else origin.branch)


def _webhook(origin: Origin, event: Event) -> dict[str, str | None]:
    """Pull requests have a base and no previous commit, pushes the other way round."""
    folder = {"push": "branch", "pr": "pr", "tag": "tag"}[event.kind]
    variables: dict[str, str | None] = {
        "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": "0",
        "CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED" if event.kind == "pr" else "PUSH",
        "CODEBUILD_WEBHOOK_TRIGGER": f"{folder}/{event.name}",
    }
    if event.kind == "pr":
        head = f"refs/heads/{origin.branch or f'pr-{event.name}'}"
        return {
            **variables,
            "CODEBUILD_WEBHOOK_HEAD_REF": head,
            "CODEBUILD_WEBHOOK_BASE_REF": f"refs/heads/{event.base}",
        }
    is_push = event.kind == "push"
    return {
        **variables,
        "CODEBUILD_WEBHOOK_HEAD_REF": f"refs/{'heads' if is_push else 'tags'}/{event.name}",
        "CODEBUILD_WEBHOOK_PREV_COMMIT": (origin.previous if is_push else None) or _NO_COMMIT,
    }
