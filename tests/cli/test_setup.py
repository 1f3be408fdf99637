"""Set-up with real virtual environments and installers, from a wheel that is made here: no network."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from trainyard.cli import environment, setup
from trainyard.errors import SetupError
from trainyard.families import repository_root

INSTALL = """
import sys
from pathlib import Path
from trainyard.cli.setup import install
install(Path(sys.argv[1]), "host")
"""


@pytest.fixture
def tree(tmp_path):
    """A repository with a lock for the package ``tiny``; uv cannot be had there."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "shared").mkdir()
    write_lock(tmp_path, "host", "tiny", "1.0")
    write_lock(tmp_path, "test", "tests", "1.0")
    environment.requirements(tmp_path, "installer").write_text("--no-index\nuv==1 --hash=sha256:00\n")
    return tmp_path


def write_lock(root: Path, lock: str, package: str, version: str) -> None:
    """A wheel of one module that knows its version, and a lock that takes it from where it lies."""
    wheel = root / f"{package}-{version}-py3-none-any.whl"
    info = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{package}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    text = f"--no-index\n--find-links {root}\n{package}=={version} --hash=sha256:{digest}\n"
    environment.requirements(root, lock).write_text(text)


def version_in(root: Path, package: str = "tiny") -> str:
    program = f"import {package}, sys; print({package}.VERSION)"
    return subprocess.run(
        [environment.python(root), "-I", "-c", program], capture_output=True, text=True
    ).stdout.strip()


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, str(root)],
        env={**os.environ, "PYTHONPATH": str(repository_root() / "shared")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_what_is_missing_is_installed_once_and_only_that(tree, capsys):
    setup.install(tree, "host")
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["trainyard: making .venv", "trainyard: getting uv, the installer"]
    assert said[2] == "trainyard: installing requirements/host.txt with python"
    assert "it is not repeated" in said[3]
    assert version_in(tree) == "1.0"
    assert environment.missing(tree, "host") == []
    assert environment.missing(tree, "test") == ["test"]
    paths = subprocess.check_output(
        [environment.python(tree), "-I", "-c", "import sys; print(sys.path)"], text=True
    )
    assert f"'{tree}/shared', '{tree}'" in paths

    setup.install(tree, "host")
    assert capsys.readouterr().err == ""

    setup.install(tree, "test")
    assert capsys.readouterr().err.startswith("trainyard: installing requirements/test.txt")
    assert version_in(tree, "tests") == "1.0"

    write_lock(tree, "host", "tiny", "2.0")
    setup.install(tree, "test")
    assert capsys.readouterr().err.startswith("trainyard: installing requirements/host.txt")
    assert version_in(tree) == "2.0"
    assert environment.missing(tree, "test") == []


@pytest.mark.slow
def test_an_interrupted_set_up_is_made_from_anew(tree):
    for number in (signal.SIGKILL, signal.SIGINT):
        process = start(tree)
        while not environment.unfinished(tree).exists() and process.poll() is None:
            time.sleep(0.01)
        (tree / ".venv" / "half-written").touch()
        os.killpg(process.pid, number)
        process.wait(timeout=20)
        assert environment.missing(tree, "host") == ["host"]
    process = start(tree)
    assert process.wait(timeout=60) == 0
    assert not (tree / ".venv" / "half-written").exists()
    assert (version_in(tree), environment.missing(tree, "host")) == ("1.0", [])


@pytest.mark.slow
def test_of_two_first_runs_at_once_one_waits_for_the_other(tree):
    said = [process.communicate(timeout=120)[1] for process in [start(tree), start(tree)]]
    assert sorted(text.count("making .venv") for text in said) == [0, 1], said
    assert any("another command is setting up .venv; waiting for it" in text for text in said), said
    assert version_in(tree) == "1.0"


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_again(tree):
    environment.python(tree).parent.mkdir(parents=True)
    environment.python(tree).symlink_to("/nowhere/python3")
    setup.install(tree, "host")
    assert version_in(tree) == "1.0"


@pytest.mark.slow
def test_a_failure_names_the_reason_and_the_log(tree):
    environment.requirements(tree, "host").write_text("--no-index\nnothing==1 --hash=sha256:00\n")
    with pytest.raises(SetupError) as error:
        setup.install(tree, "host")
    message = str(error.value)
    assert "requirements/host.txt could not be installed: ERROR: Could not find a version" in message
    assert f"the whole output is in {tree}/.venv/setup.log" in message
    assert "nothing" in (tree / ".venv" / "setup.log").read_text()
    assert environment.missing(tree, "host") == ["host"]


def test_without_ensurepip_it_says_what_to_install(tree, monkeypatch):
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        SetupError, match=r"no ensurepip; on Debian and Ubuntu: sudo apt install python3\.\d+-venv"
    ):
        setup.install(tree, "host")


def test_where_nothing_can_be_written_it_says_so(tmp_path):
    (tmp_path / ".venv").touch()
    with pytest.raises(SetupError, match=r"\.venv cannot be set up: .*File exists"):
        setup.install(tmp_path, "host")
