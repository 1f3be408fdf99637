from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trainyard.execution.environments import Environments
from trainyard.families import repository_root


@pytest.mark.parametrize(
    ("chosen", "code", "said"), [("closest", 0, "1 passed"), ("no_such_test", 5, "deselected")]
)
def test_it_is_pytest_with_its_arguments_and_exit_code(tmp_path, chosen, code, said):
    command = [
        sys.executable,
        "-m",
        "trainyard.cli",
        "test",
        "tests/test_readers.py",
        "-k",
        chosen,
        "-p",
        "no:cacheprovider",
    ]
    environment = {**os.environ, "PYTHONPATH": str(repository_root() / "shared")}
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert said in ended.stdout


@pytest.fixture
def passed_on(cli, monkeypatch):
    """Run the command; (its result, the arguments that pytest gets, the environments that are made)."""
    given, made = [], []
    monkeypatch.setattr(pytest, "main", lambda arguments: given.append(arguments) or 0)
    monkeypatch.setattr(Environments, "python", lambda self, family: made.append(self.path(family).name))
    monkeypatch.chdir(repository_root())
    return lambda *arguments: (cli("test", *arguments), given, made)


def test_a_family_is_its_own_tests_in_its_environment(passed_on):
    result, [arguments], [made] = passed_on("prophet", "-x", "-k", "metrics or train", "-p", "no:x")
    assert result.code == 0 and made.startswith("prophet-")
    paths = ["tests/containers/prophet", "tests/pipelines/test_prophet.py", "tests/conformance"]
    assert arguments == [*paths, "-x", "-p", "no:x", "-k", "prophet and (metrics or train)"]


def test_everything_else_is_passed_on_as_it_is(passed_on):
    _, [first, second], made = passed_on("tests/cli", "-x") and passed_on("-q", "prophet", "-kmodels")
    assert (first, second, made) == (["tests/cli", "-x"], ["-q", "prophet", "-k", "models"], [])


def test_a_source_is_the_familys_variable(passed_on, tmp_path, monkeypatch):
    wheel = tmp_path / "detectron2-1-py3-none-any.whl"
    wheel.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_SOURCE", "/elsewhere")
    result, [arguments], [made] = passed_on("detectron2", "--source", wheel.name)
    assert result.code == 0 and made.startswith("detectron2-")
    assert os.environ["DETECTRON2_SOURCE"] == str(wheel)
    assert "tests/containers/detectron2" in arguments and arguments[-2:] == ["-k", "detectron2"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("prophet", "--source", "x"), 2, "--source x: of prophet no package comes as source"),
        (("tests/cli", "--source", "x"), 2, "trainyard test FAMILY --source PATH"),
        (("detectron2", "--source", "/nowhere"), 35, "DETECTRON2_SOURCE=/nowhere: there is no such file"),
    ],
)
def test_a_source_that_is_none(passed_on, arguments, code, said):
    result, given, made = passed_on(*arguments)
    assert (result.code, given, made) == (code, [], [])
    assert said in result.err and result.err.count("\n") == 1
