from __future__ import annotations

import pytest

from ci.local_codebuild.buildspec import parse
from trainyard.errors import BuildspecError

PHASES = "phases: {build: {commands: [x]}}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PHASES, "version: missing"),
        (f"version: 0.1\n{PHASES}", "version = 0.1: must be 0.2"),
        ("version: 0.2", "phases: missing"),
        ("version: 0.2\nphases: []", "phases = []: must be a table"),
        ("version: 0.2\nphases: {biuld: {commands: [x]}}", "phases.biuld: no such key; did you mean build?"),
        ("version: 0.2\nphases: {build: {}}", "phases.build.commands: missing"),
        ("version: 0.2\nphases: {build: {commands: x}}", 'phases.build.commands = "x": must be a list'),
        ("version: 0.2\nphases: {build: {commands: []}}", "phases.build.commands = []: must be a list with"),
        ("version: 0.2\nphases: {build: {commands: [a, b, c: d]}}", 'phases.build.commands[2] = {"c": "d"}'),
        ("version: 0.2\nphases: {build: {commands: [x], finally: [3]}}", "phases.build.finally[0] = 3"),
        ("version: 0.2\nphases: {build: {commands: [x], on-failure: RETRY-2}}", "retries are not run here"),
        ("version: 0.2\nphases: {build: {commands: [x], on-failure: abort}}", "not one of: ABORT, CONTINUE"),
        (
            "version: 0.2\nphases: {build: {commands: [x], runtime-versions: {python: 3.11}}}",
            "phases.build.runtime-versions: no such key",
        ),
        (f"version: 0.2\n{PHASES}env: {{shell: zsh}}", "env.shell"),
        (
            f"version: 0.2\n{PHASES}env: {{variables: {{A: on}}}}",
            "env.variables.A = true: YAML reads this as bool",
        ),
        (
            f"version: 0.2\n{PHASES}env: {{variables: {{A: 010}}}}",
            "env.variables.A = 8: YAML reads this as int",
        ),
        (f"version: 0.2\n{PHASES}env: {{variables: {{CODEBUILD_A: x}}}}", "CODEBUILD_ are reserved"),
        (
            f"version: 0.2\n{PHASES}env: {{exported-variables: [AWS_X]}}",
            'env.exported-variables[0] = "AWS_X"',
        ),
        (f"version: 0.2\n{PHASES}env: {{exported-variables: [a b]}}", "env.exported-variables[0]"),
        (f"version: 0.2\n{PHASES}artifacts: {{files: [../x]}}", "artifacts.files[0]"),
        (f"version: 0.2\n{PHASES}artifacts: {{files: [x], discard-paths: 1}}", "artifacts.discard-paths = 1"),
        (
            f"version: 0.2\n{PHASES}artifacts: {{secondary-artifacts: {{a: {{name: x}}}}}}",
            "artifacts.secondary-artifacts.a.files: missing",
        ),
        (f"version: 0.2\n{PHASES}reports: {{tests: {{files: [x], file-format: JUNIT}}}}", "JUNITXML"),
        (f"version: 0.2\n{PHASES}reports: {{a b: {{files: [x]}}}}", 'reports."a b": a name here matches'),
        (f"version: 0.2\n{PHASES}cache: {{}}", "cache.paths: missing"),
        (f"version: 0.2\n{PHASES}batch: {{}}", "batch: has no builds"),
        (f"version: 0.2\n{PHASES}artefacts: {{}}", "artefacts: no such key; did you mean artifacts?"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text, problem):
    with pytest.raises(BuildspecError) as caught:
        parse(text, "ci/spec.yml")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("ci/spec.yml: ") and problem in line


def test_all_problems_come_at_once():
    with pytest.raises(BuildspecError) as caught:
        parse("version: 1\nphases: {build: {commands: [a: b, '']}}\nenv: {variables: {A: 1, B: no}}\nx: 1")
    assert len(str(caught.value).splitlines()) == 6
