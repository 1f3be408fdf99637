"""The Detectron2 family under test: its modules, and its scripts in the family's environment."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import require_sources
from tests.containers.warm_process import Started, warm_process
from trainyard import families
from trainyard.execution.environments import Environments

ROOT = families.repository_root()
FAMILY = ROOT / "containers" / "detectron2"
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
    """The interpreter of the family's environment, with Detectron2; skips where that is not to be had."""
    family = families.find_family(ROOT, "detectron2")
    require_sources(family, environments)
    return environments.python(family)


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    """The variables of a job whose /opt/ml is a folder of the test's."""

    def make(base: Path, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        job = {"PYTHONPATH": str(SHARED), "SAGEMAKER_BASE_DIR": str(base), "OMP_NUM_THREADS": "1"}
        return kept | job | more

    return make


@pytest.fixture(scope="session")
def run(family_python: Path, environment: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Run one of the family's scripts to its end."""

    def run(script: str, base: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(family_python), str(FAMILY / script), *arguments]
        return subprocess.run(
            command, env=environment(base, **more), capture_output=True, text=True, timeout=300
        )

    return run


@pytest.fixture(scope="session")
def run_light(environment: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Run a script of the family that needs numpy and Pillow only, with the tests' own interpreter."""

    def run(script: str, base: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(FAMILY / script), *arguments]
        return subprocess.run(
            command, env=environment(base, **more), capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def start(
    family_python: Path, environment: Callable[..., dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Started]]:
    """Start one of the family's scripts, or any other, in a process that has Detectron2 imported already."""
    logs = tmp_path_factory.mktemp("logs")
    with warm_process(family_python, FAMILY, ("training_process", "launch"), environment, logs) as start:
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


@pytest.fixture(scope="session")
def report(start: Callable[..., Started], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What exported.py says of a small model that it leaves and runs in every way."""
    folder = tmp_path_factory.mktemp("exported")
    started = start(str(Path(__file__).parent / "exported.py"), folder, str(folder))
    assert started.wait() == 0, started.text()
    return dict(json.loads((folder / "report.json").read_text()))
