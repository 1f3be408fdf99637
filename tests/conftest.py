"""Fixtures for all tests: environments to run jobs in, stores, and definitions of one or two small jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainyard import families
from trainyard.execution.environments import Environments
from trainyard.execution.executor import Executor
from trainyard.execution.launchers import process
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.store import Store, default_home
from trainyard.execution.targets import Target, Targets

ROOT = families.repository_root()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def environments() -> Environments:
    """The families' environments in the store that the user has anyway, so that they are made once."""
    return Environments(default_home() / "venvs")


@pytest.fixture(scope="session")
def family(root: Path) -> families.Family:
    """Some family, for tests that need a real one and do not care which."""
    return next(iter(families.find_families(root).values()))


@pytest.fixture(scope="session")
def family_python(environments: Environments, family: families.Family) -> Path:
    """The interpreter of that family's environment: it has the toolkit and the server's packages."""
    given = os.environ.get("TRAINYARD_TEST_FAMILY_PYTHON")
    return Path(given) if given else environments.python(family)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets; tests that need them skip where they are absent."""
    return Path(os.environ.get("TRAINYARD_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def plain_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but Python, for jobs that need nothing else."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """For tests whose jobs spell ``/opt/ml``: they skip where the kernel gives no private mounts."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "ml").mkdir()
    spec = {"isolate": True, "host": "algo-1", "ml": str(folder / "ml"), "scratch": str(folder), "mounts": []}
    (folder / "spec.json").write_text(json.dumps({**spec, "command": ["true"], "cwd": "/"}))
    reader, writer = os.pipe()
    subprocess.run(
        [sys.executable, "-I", "-S", str(process._SANDBOX), str(folder / "spec.json"), str(writer)],
        pass_fds=(writer,), check=False,
    )  # fmt: skip
    os.close(writer)
    answer = os.read(reader, 500).decode()
    os.close(reader)
    if answer != "ok":
        reason = f"jobs cannot have an /opt/ml of their own here: {answer}"
        if os.environ.get("TRAINYARD_TEST_NAMESPACES") == "required":
            pytest.fail(reason)  # or a bug in the sandbox would skip its own tests
        pytest.skip(reason)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def make_executor(
    store: Store, plain_venv: Path, environments: Environments, namespaces: None
) -> Callable[..., Executor]:
    """An executor for which the image ``image`` is the plain environment; events go to ``watch``."""

    def make(watch: Callable[[Any], None] = lambda event: None, *, isolate: bool = True) -> Executor:
        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, ROOT)
        return Executor(store, VenvLauncher(environments, {}, isolate=isolate), targets, watch)

    return make


@pytest.fixture
def put_script(store: Store) -> Callable[[str, str], str]:
    """Store a script below ``s3://bucket/code/<name>/``; the answer is that prefix."""
    from trainyard.execution.s3 import parse_uri

    def put(name: str, text: str) -> str:
        store.objects.put_bytes(text.encode(), parse_uri(f"s3://bucket/code/{name}/main.py"))
        return f"s3://bucket/code/{name}/"

    return put
