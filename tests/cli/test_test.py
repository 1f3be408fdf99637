from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
