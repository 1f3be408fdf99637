"""The script ./trainyard: any Python may start it, and a set-up happens when a command needs one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = """
import runpy, sys
sys.version_info = (3, 9, 18, "final", 0)
sys.argv = [{script!r}, "--version"]
runpy.run_path({script!r}, run_name="__main__")
"""
PYTEST = """
def main(arguments):
    print("tested with", arguments)
    return 5
"""


@pytest.fixture
def tree(tmp_path):
    """The script and its package, with locks of packages that are made here."""
    shutil.copy(ROOT / "trainyard", tmp_path)
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "requirements").mkdir()
    write_lock(tmp_path, "host", "sagemaker", "")
    write_lock(tmp_path, "test", "pytest", PYTEST)
    (tmp_path / "requirements" / "installer.txt").write_text("--no-index\nuv==1 --hash=sha256:00\n")
    return tmp_path


def write_lock(root: Path, lock: str, package: str, text: str) -> None:
    wheel = root / f"{package}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{package}.py", text)
        for name, content in (
            ("METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n"),
            ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            ("RECORD", ""),
        ):
            archive.writestr(f"{package}-1.dist-info/{name}", content)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lines = ["--no-index", f"--find-links {root}", f"{package}==1 --hash=sha256:{digest}"]
    (root / "requirements" / f"{lock}.txt").write_text("\n".join(lines) + "\n")


def start_as_old(**environment: str) -> subprocess.CompletedProcess[str]:
    program = OLD.format(script=str(ROOT / "trainyard"))
    return subprocess.run(
        [sys.executable, "-IS", "-c", program], env=environment, capture_output=True, text=True
    )


def test_a_python_that_is_too_old_says_what_to_do():
    ended = start_as_old(PATH="")
    assert ended.returncode == 20
    assert ended.stderr == (
        f"trainyard needs Python 3.11 or newer; found 3.9.18 at {sys.executable}; "
        "install python3.11 or set TRAINYARD_PYTHON\n"
    )


def test_a_newer_python_on_the_path_takes_over(tmp_path):
    (tmp_path / "python3.11").write_text("#!/bin/sh\nexit 127\n")  # as the shims of version managers do
    (tmp_path / "python3.11").chmod(0o755)
    assert start_as_old(PATH=str(tmp_path)).returncode == 20
    (tmp_path / "python3.12").symlink_to(sys.executable)
    ended = start_as_old(PATH=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("trainyard ")


def test_the_python_that_is_asked_for_takes_over(tmp_path):
    assert start_as_old(PATH="", TRAINYARD_PYTHON=sys.executable).stdout.startswith("trainyard ")
    ended = start_as_old(PATH=os.environ["PATH"], TRAINYARD_PYTHON=str(tmp_path))
    assert ended.returncode == 20
    assert f"found TRAINYARD_PYTHON={tmp_path}, which is not; install python3.11" in ended.stderr


@pytest.mark.parametrize("name", [f"python3.{minor}" for minor in range(6, 11)])
def test_a_really_old_python_reads_the_script(name, tmp_path):
    python = shutil.which(name)
    if not python or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"no {name} on this machine")
    command = [python, ROOT / "trainyard", "--version"]
    ended = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert ended.returncode == 20, ended.stderr
    assert "trainyard needs Python 3.11 or newer; found 3." in ended.stderr


def test_what_needs_no_packages_sets_nothing_up(tree):
    for arguments in (["--help"], ["families"], ["run", "--help"], ["test", "--help"], ["models", "--json"]):
        ended = subprocess.run([tree / "trainyard", *arguments], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, ""), arguments
    assert not (tree / ".venv").exists()


@pytest.mark.slow
def test_the_first_command_that_needs_packages_sets_up_and_goes_on(tree):
    command = [tree / "trainyard", "test", "-k", "some or others"]
    first = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert first.stdout == "tested with ['-k', 'some or others']\n"
    assert first.returncode == 5
    assert first.stderr.splitlines()[0] == "trainyard: making .venv"
    second = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert (second.stdout, second.stderr, second.returncode) == (first.stdout, "", 5)


def test_a_link_to_the_script_finds_its_repository(tree, tmp_path):
    link = tmp_path / "bin" / "trainyard"
    link.parent.mkdir()
    link.symlink_to(tree / "trainyard")
    ended = subprocess.run([link, "--version"], capture_output=True, text=True, cwd="/")
    assert ended.stdout.startswith("trainyard ")
