from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trainyard.errors import SetupError, SourceUnavailable
from trainyard.execution import installing
from trainyard.families import Source
from trainyard.images.sources import Given, given

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import pathlib, zipfile
def build_wheel(folder, *_):
    pathlib.Path(__file__).with_name("left").touch()
    with zipfile.ZipFile(pathlib.Path(folder, "{name}-1-py3-none-any.whl"), "w") as wheel:
        wheel.write("thing.py")
        wheel.writestr("{name}-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n")
        wheel.writestr("{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("{name}-1.dist-info/RECORD", "")
    return "{name}-1-py3-none-any.whl"
"""


def source(folder: Path, name: str = "thing", *, compiled: bool = False) -> Given:
    folder.mkdir(exist_ok=True)
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND.format(name=name), "thing.py": "answer = 42"}
    for file, text in files.items():
        (folder / file).write_text(text)
    package = Source(package="thing", variable="THING_SOURCE", default="", compiled=compiled)
    return given(package, {"THING_SOURCE": str(folder)})


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("venvs") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    return venv


def test_a_folder_is_built_from_a_copy_and_stays_as_it_is(tmp_path: Path, venv: Path) -> None:
    thing = source(tmp_path / "thing")
    (tmp_path / "thing" / "thing.py").chmod(0o444)
    installing.build(thing, venv, venv.parent / "log")
    code = "import thing; print(thing.answer)"
    assert subprocess.check_output([venv / "bin" / "python", "-c", code]) == b"42\n"
    assert sorted(path.name for path in (tmp_path / "thing").iterdir()) == [
        "backend.py",
        "pyproject.toml",
        "thing.py",
    ]
    assert not list(venv.parent.glob("source-*"))


def test_a_source_of_something_else_is_refused(tmp_path: Path, venv: Path) -> None:
    other = source(tmp_path / "thing", "another")
    subprocess.run(
        [*installing.pip(str(venv / "bin" / "python"))[:-2], "uninstall", "-qy", "thing"], check=True
    )
    with pytest.raises(
        SourceUnavailable, match="that is not thing; make that reachable, or set THING_SOURCE"
    ):
        installing.build(other, venv, venv.parent / "log")


def test_a_build_that_fails_is_said_with_its_reason(tmp_path: Path, venv: Path) -> None:
    broken = source(tmp_path / "thing")
    (tmp_path / "thing" / "backend.py").write_text("raise SystemExit('error: no luck today')")
    with pytest.raises(
        SetupError, match=r"thing could not be built from .*thing: .*(?i:error).*whole output in .*log"
    ):
        installing.build(broken, venv, venv.parent / "log")
    assert "no luck today" in (venv.parent / "log").read_text()


def test_a_missing_compiler_is_said_before_anything_is_installed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    installing.require_buildable(source(tmp_path / "thing"))
    wheel = tmp_path / "thing-1-py3-none-any.whl"
    wheel.touch()
    compiled = source(tmp_path / "thing", compiled=True)
    installing.require_buildable(given(compiled.source, {"THING_SOURCE": str(wheel)}))
    with pytest.raises(SourceUnavailable, match=r"needs no-such-compiler\b.* apt install g\+\+ python3-dev"):
        installing.require_buildable(compiled)


def test_the_reason_is_the_last_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text, reason in (("", "no output"), ("a\n b \n", "b"), ("ERROR: x\n\nhint: y\n", "ERROR: x")):
        log.write_text(text)
        assert installing.reason(log) == reason
