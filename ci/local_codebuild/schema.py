"""The keys that a buildspec may have and what each may hold: all that is wrong with one key alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci.local_codebuild import batch
from ci.local_codebuild.document import (
    IDENTIFIER,
    PATTERNS,
    STRING,
    STRINGS,
    VARIABLE,
    command,
    literal,
    string_or_list,
    switch,
    variables,
)
from trainyard.readers import Key, Problems, check, list_of, named, one_of, shown, table, text

PHASES = ("install", "pre_build", "build", "post_build")
FORMATS = (
    "JUNITXML", "CUCUMBERJSON", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX",
    "CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV",
)  # fmt: skip


def _on_failure(value: Any, where: str, problems: Problems) -> Any:
    if isinstance(value, str) and value.startswith("RETRY"):
        problems.append(f"{where} = {shown(value)}: retries are not run here; possible: ABORT, CONTINUE")
        return value
    return one_of("ABORT", "CONTINUE")(value, where, problems)


def _format(value: Any, where: str, problems: Problems) -> Any:
    return one_of(*FORMATS)(value.upper() if isinstance(value, str) else value, where, problems)


def _exported(value: Any, where: str, problems: Problems) -> Any:
    if isinstance(value, str) and value.startswith("AWS_"):
        problems.append(f"{where} = {shown(value)}: variables that begin with AWS_ cannot be exported")
    return text(VARIABLE, f"a name here matches {VARIABLE}")(value, where, problems)


def _version(value: Any, where: str, problems: Problems) -> Any:
    if value not in (0.2, "0.2") or isinstance(value, bool):
        problems.append(f"{where} = {shown(value)}: must be 0.2")
    return value


def _optional(keys: Mapping[str, Any]) -> dict[str, Key]:
    return {name: Key(reader, required=False) for name, reader in keys.items()}


def _one_phase(name: str) -> Key:
    commands = list_of(command, at_least=1)
    keys = {"run-as": STRING, "on-failure": _on_failure, "finally": commands}
    runtime = check(lambda value: isinstance(value, str | int | float), "must be a version")
    if name == "install":
        keys["runtime-versions"] = named(".+", runtime)
    return Key(
        table({**_optional(keys), "commands": Key(commands, required=name != "install")}), required=False
    )


_COLLECTED = {
    "base-directory": Key(STRING, required=False),
    "discard-paths": Key(switch, required=False, default=False),
}
_ARTIFACT = {
    **_COLLECTED,
    **_optional(
        {"name": STRING, "exclude-paths": string_or_list, "enable-symlinks": switch, "s3-prefix": STRING}
    ),
}
_ONE_ARTIFACT = {**_ARTIFACT, "files": Key(PATTERNS)}
_ARTIFACTS = {
    **_ARTIFACT,
    **_optional({"files": PATTERNS, "secondary-artifacts": named(IDENTIFIER, table(_ONE_ARTIFACT))}),
}
_REPORT = {**_COLLECTED, "files": Key(PATTERNS), "file-format": Key(_format, required=False)}
_ENV = {
    "shell": one_of("sh", "/bin/sh", "bash"),
    "variables": variables(literal),
    "parameter-store": variables(STRING),
    "secrets-manager": variables(STRING),
    "exported-variables": list_of(_exported),
    "git-credential-helper": switch,
}
_CACHE = {"key": STRING, "fallback-keys": STRINGS, "action": one_of("restore", "save")}
BUILDSPEC = table(
    {
        "version": Key(_version),
        "phases": Key(table({name: _one_phase(name) for name in PHASES})),
        **_optional(
            {
                "run-as": STRING,
                "env": table(_optional(_ENV)),
                "proxy": table(_optional({"upload-artifacts": switch, "logs": switch})),
                "artifacts": table(_ARTIFACTS),
                "reports": named(
                    r"[A-Za-z0-9][A-Za-z0-9_-]{1,127}|arn:aws.*:report-group/.+", table(_REPORT)
                ),
                "cache": table({**_optional(_CACHE), "paths": Key(STRINGS)}),
                "batch": batch.reader,
            }
        ),
    }
)
