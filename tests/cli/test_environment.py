from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trainyard.cli import environment
from trainyard.families import repository_root


@pytest.fixture
def tree(tmp_path):
    """A repository whose .venv has both locks installed."""
    (tmp_path / "requirements").mkdir()
    environment.python(tmp_path).parent.mkdir(parents=True)
    environment.python(tmp_path).symlink_to(sys.executable)
    for lock in ("host", "test"):
        environment.requirements(tmp_path, lock).write_text(f"{lock}==1\n")
        environment.marker(tmp_path, lock).write_text(environment.digest(tmp_path, lock))
    return tmp_path


def test_nothing_is_missing_where_all_is_installed(tree):
    assert environment.missing(tree, "host") == environment.missing(tree, "test") == []


def test_a_changed_lock_is_missing(tree):
    environment.requirements(tree, "test").write_text("test==2\n")
    assert environment.missing(tree, "host") == []
    assert environment.missing(tree, "test") == ["test"]
    environment.requirements(tree, "host").write_text("host==2\n")
    assert environment.missing(tree, "test") == ["host", "test"]


def test_after_an_interrupted_set_up_all_is_missing(tree):
    environment.unfinished(tree).touch()
    assert environment.missing(tree, "host") == ["host"]
    assert environment.missing(tree, "test") == ["host", "test"]


def test_without_a_python_that_is_there_all_is_missing(tree):
    environment.python(tree).unlink()
    environment.python(tree).symlink_to("/nowhere/python3.11")
    assert environment.missing(tree, "test") == ["host", "test"]


def test_a_command_goes_on_in_the_venv_with_its_arguments(tree):
    program = f"""if True:
        from pathlib import Path
        from trainyard.cli import environment
        environment.repository_root = lambda: Path({str(tree)!r})
        environment.enter("host", ["a", "b c"])"""
    environment.python(tree).unlink()
    environment.python(tree).write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    environment.python(tree).chmod(0o755)
    paths = {**os.environ, "PYTHONPATH": str(repository_root() / "shared")}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=paths, capture_output=True, text=True
    ).stdout
    assert printed.splitlines() == ["-I", "-m", "trainyard.cli", "a", "b c"]
