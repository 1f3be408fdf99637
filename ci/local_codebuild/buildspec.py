"""A buildspec, version 0.2, from its YAML to frozen values.

Source: https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.local_codebuild import schema
from ci.local_codebuild.batch import Batch
from ci.local_codebuild.document import load
from trainyard.errors import BuildspecError, UsageError
from trainyard.readers import Problems

MOST_REPORTS = 5


@dataclass(frozen=True, kw_only=True)
class Env:
    """``parameter_store`` and ``secrets_manager``: the name of a variable -> where its value lies."""

    shell: str
    variables: Mapping[str, str]
    parameter_store: Mapping[str, str]
    secrets_manager: Mapping[str, str]
    exported: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Phase:
    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    on_failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Files:
    """Which files to collect; ``name``: as written, to be expanded by the shell."""

    patterns: tuple[str, ...]
    base_directory: str = "."
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()
    keep_links: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    format: str
    files: Files


@dataclass(frozen=True, kw_only=True)
class Buildspec:
    """``ignored``: what is valid, but has no effect here."""

    env: Env
    phases: Mapping[str, Phase]
    artifacts: Files | None
    secondary_artifacts: Mapping[str, Files]
    reports: Mapping[str, Report]
    batch: Batch | None
    ignored: tuple[str, ...]


def read_file(file: Path, name: str) -> Buildspec:
    """Read the buildspec in ``file``, which messages call ``name``.

    Raises UsageError where there is no such file, BuildspecError with every problem, one per line.
    """
    try:
        return parse(file.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError as error:
        raise BuildspecError(f"{name}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}; name another buildspec") from error


def parse(document: str, name: str = "buildspec.yml") -> Buildspec:
    """The buildspec that this YAML is; raises BuildspecError with every problem, one per line."""
    problems: Problems = []
    loaded = load(document, problems)
    read = schema.BUILDSPEC(loaded, "", problems) if not problems else {}
    if isinstance(loaded, dict) and read:
        _check_across(read, problems)
    if problems:
        raise BuildspecError("\n".join(f"{name}: {problem}" for problem in problems))
    env, artifacts = read["env"] or {}, read["artifacts"] or {}
    return Buildspec(
        env=Env(
            shell="bash" if env.get("shell") == "bash" else "sh",
            variables=env.get("variables") or {},
            parameter_store=env.get("parameter-store") or {},
            secrets_manager=env.get("secrets-manager") or {},
            exported=tuple(env.get("exported-variables") or ()),
        ),
        phases={phase: _phase(keys) for phase, keys in read["phases"].items() if keys is not None},
        artifacts=_files(artifacts) if artifacts.get("files") else None,
        secondary_artifacts={
            key: _files(value) for key, value in (artifacts.get("secondary-artifacts") or {}).items()
        },
        reports={
            group: Report(format=(keys["file-format"] or schema.FORMATS[0]).upper(), files=_files(keys))
            for group, keys in (read["reports"] or {}).items()
        },
        batch=read["batch"],
        ignored=_ignored(read),
    )


def _check_across(read: Mapping[str, Any], problems: Problems) -> None:
    """What no key alone can be wrong about."""
    env = read["env"] if isinstance(read["env"], dict) else {}
    where: dict[str, str] = {}
    for source in ("variables", "parameter-store", "secrets-manager"):
        for name in env.get(source) or {}:
            if name in where:
                problems.append(f"env.{source}.{name}: is in env.{where[name]} too")
            where[name] = source
    artifacts = read["artifacts"]
    if artifacts and not artifacts.get("files") and not artifacts.get("secondary-artifacts"):
        problems.append("artifacts.files: missing")
    if len(read["reports"] or {}) > MOST_REPORTS:
        problems.append(f"reports: {len(read['reports'])} groups; a project has at most {MOST_REPORTS}")


def _phase(read: Mapping[str, Any]) -> Phase:
    return Phase(
        commands=tuple(read["commands"] or ()),
        finally_=tuple(read["finally"] or ()),
        on_failure=read["on-failure"],
    )


def _files(read: Mapping[str, Any]) -> Files:
    return Files(
        patterns=tuple(read["files"]),
        base_directory=read["base-directory"] or ".",
        discard_paths=read["discard-paths"],
        exclude_paths=tuple(read.get("exclude-paths") or ()),
        keep_links=bool(read.get("enable-symlinks")),
        name=read.get("name"),
    )


def _ignored(read: Mapping[str, Any]) -> tuple[str, ...]:
    named_keys = [key for key in ("run-as", "proxy", "cache") if read[key] is not None]
    if (read["env"] or {}).get("git-credential-helper"):
        named_keys.append("env.git-credential-helper")
    for phase, keys in read["phases"].items():
        named_keys += [
            f"phases.{phase}.{key}" for key in ("run-as", "runtime-versions") if keys and keys.get(key)
        ]
    if (read["artifacts"] or {}).get("s3-prefix"):
        named_keys.append("artifacts.s3-prefix")
    return tuple(named_keys)
