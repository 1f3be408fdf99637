"""The ScarceGAN family under test: its modules, and its scripts in the family's environment."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.containers.warm_process import Started, warm_process
from trainyard import families
from trainyard.execution.environments import Environments

ROOT = families.repository_root()
FAMILY = ROOT / "containers" / "scarcegan"
SHARED = ROOT / "shared"


@pytest.fixture(scope="module")
def module() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the family by its name in the image; forgotten afterwards, as other families
    have modules of the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAMILY))
        yield importlib.import_module
    for name, loaded in list(sys.modules.items()):
        if str(getattr(loaded, "__file__", None)).startswith(f"{FAMILY}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def family_python(environments: Environments) -> Path:
    return environments.python(families.find_family(ROOT, "scarcegan"))


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    """The variables of a job whose /opt/ml is a folder of the test's."""

    def make(base: Path, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        job = {"PYTHONPATH": str(SHARED), "SAGEMAKER_BASE_DIR": str(base)}
        return kept | job | more

    return make


@pytest.fixture(scope="session")
def run(family_python: Path, environment: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Run one of the family's scripts to its end."""

    def run(script: str, base: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(family_python), str(FAMILY / script), *arguments]
        return subprocess.run(
            command, env=environment(base, **more), capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def start(
    family_python: Path, environment: Callable[..., dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Started]]:
    """Start one of the family's scripts, or any other, in a process that has TensorFlow imported already."""
    logs = tmp_path_factory.mktemp("logs")
    with warm_process(family_python, FAMILY, ("tensor", "tf.__version__"), environment, logs) as start:
        yield start


@pytest.fixture(scope="session")
def snippet(start: Callable[..., Started]) -> Callable[[str, Path], str]:
    """Run a few lines in the family's environment, its modules at hand; they must succeed."""

    def run(code: str, base: Path) -> str:
        script = base / "snippet.py"
        script.write_text(f"import sys; sys.path.insert(0, {str(FAMILY)!r})\n{code}")
        started = start(str(script), base)
        code_of_exit = started.wait()
        assert code_of_exit == 0, started.text()
        return started.text()

    return run
