from __future__ import annotations

import subprocess
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from trainyard.errors import SetupError, SourceUnavailable
from trainyard.execution import environments as environments_module
from trainyard.execution.environments import Environments
from trainyard.families import Source


def family(folder: Path, requirements: str, sources: tuple[Source, ...] = ()) -> SimpleNamespace:
    (folder / "requirements.txt").write_text(requirements)
    return SimpleNamespace(name="tiny", folder=folder, image=SimpleNamespace(sources=sources))


def test_made_once_even_by_many_at_once_and_found_later(tmp_path: Path) -> None:
    said: list[str] = []
    tiny = family(tmp_path, "")
    made: list[Path] = []
    environments = Environments(tmp_path / "venvs", said.append)
    threads = [threading.Thread(target=lambda: made.append(environments.python(tiny))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert said == ["setting up the environment of tiny (once)", ""]
    assert subprocess.run([made[0], "-c", "print(1)"], capture_output=True, text=True).stdout == "1\n"
    assert Environments(tmp_path / "venvs", said.append).python(tiny) == made[0]
    assert len(said) == 2


def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "venvs")
    first = environments.path(family(tmp_path, "# one"))
    assert environments.path(family(tmp_path, "# two")) != first
    assert environments.path(family(tmp_path, "# one")) == first


def test_a_failure_names_the_log_and_is_tried_again(tmp_path: Path) -> None:
    broken = family(tmp_path, "no such requirement ===\n")
    for _ in range(2):
        with pytest.raises(
            SetupError, match=r"environment of tiny could not be made .*whole output in .*\.log"
        ):
            Environments(tmp_path / "venvs").python(broken)


def test_without_a_compiler_something_stands_in(tmp_path: Path, monkeypatch) -> None:
    """A package with a C file, installed where `cc` cannot be found, can be imported all the same."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "library.c").write_text("#include <Python.h>\n")
    (source / "setup.py").write_text(
        "import setuptools\n"
        "library = setuptools.Extension('library', sources=['library.c'])\n"
        "setuptools.setup(name='package', version='1', ext_modules=[library])\n"
    )
    monkeypatch.setattr(environments_module.shutil, "which", lambda name: None)
    monkeypatch.setattr(environments_module, "_HASHES", ())
    tiny = family(tmp_path, f"{source}\n")
    python = Environments(tmp_path / "venvs").python(tiny)
    code = "import library; print(library.__file__)"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.endswith(
        "library.py\n"
    )


def test_a_source_is_installed_after_the_lock_and_is_part_of_the_name(tmp_path: Path, monkeypatch) -> None:
    wheel = tmp_path / "thing-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
        archive.writestr(
            "thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("thing-1.dist-info/RECORD", "")
    package = Source(
        package="thing", variable="THING_SOURCE", default="git+file:///nowhere@0", compiled=False
    )
    tiny, said = family(tmp_path, "", (package,)), list[str]()
    environments = Environments(tmp_path / "venvs", said.append)
    assert environments.path(tiny) != environments.path(family(tmp_path, ""))
    with pytest.raises(SourceUnavailable):
        environments.python(tiny)
    assert said == [] and not environments.has(tiny)
    monkeypatch.setenv("THING_SOURCE", str(wheel))
    python = environments.python(tiny)
    assert environments.has(tiny) and environments.python(tiny) == python
    assert said == ["setting up the environment of tiny (once)", f"building thing from {wheel}", ""]
    subprocess.run([python, "-c", "import thing"], check=True)
    monkeypatch.delenv("THING_SOURCE")
    assert environments.has(tiny) and environments.python(tiny) == python  # it need not be named again
    monkeypatch.setenv("THING_SOURCE", "git+file:///nowhere@1")
    assert not environments.has(tiny)
    monkeypatch.delenv("THING_SOURCE")
    assert not environments.has(family(tmp_path, "# another lock", (package,)))
