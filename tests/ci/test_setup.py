from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from ci import setup
from trainyard.cli import environment
from trainyard.errors import SetupError
from trainyard.families import repository_root

ROOT = repository_root()


def test_it_runs_without_any_package_and_installs_the_lock_of_ci(tmp_path):
    program = "import ci.setup as s; s.install = lambda root, lock: print(root, lock); s.main()"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"{ROOT} ci\n", "")


def test_a_failure_is_told_in_a_line(monkeypatch, capsys):
    def install(root: object, lock: str) -> None:
        raise SetupError("the disk is full")

    monkeypatch.setattr(setup, "install", install)
    assert setup.main() == SetupError.exit_code
    assert capsys.readouterr().err == "the disk is full\n"


@pytest.mark.parametrize("other", ["host", "test"])
def test_its_lock_agrees_with_the_others_which_lie_in_the_same_environment(other):
    def versions(lock: str) -> dict[str, str]:
        text = environment.requirements(ROOT, lock).read_text()
        return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))

    ours, theirs = versions("ci"), versions(other)
    differing = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    assert len(ours) > 10
    assert differing == set()
