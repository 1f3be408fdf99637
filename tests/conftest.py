"""Fixtures for all tests: environments to run jobs in, stores, and definitions of one or two small jobs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from trainyard import families
from trainyard.errors import DockerError, UserError
from trainyard.execution.environments import Environments
from trainyard.execution.executor import Executor
from trainyard.execution.launchers import process
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.store import Store, default_home
from trainyard.execution.targets import Target, Targets
from trainyard.images.engine import Engine, find_engine
from trainyard.images.remote import ImageRegistry

ROOT = families.repository_root()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests were skipped for each reason."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in skipped.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def environments() -> Environments:
    """The families' environments in the store that the user has anyway, so that they are made once."""
    return Environments(default_home() / "venvs")


def require_sources(family: families.Family, environments: Environments) -> None:
    """Skip where nobody has asked for packages of the family's that come as source: they may be gigabytes.

    They are asked for by `trainyard test FAMILY`, which makes the environment first, and by their variables; then
    a source that cannot be had is a failure.
    """
    variables = [source.variable for source in family.image.sources]
    if all(os.environ.get(name) for name in variables) or environments.has(family):
        return
    pytest.skip(
        f"{family.name} needs a package that is on no index: `trainyard test {family.name}` gets it, from its "
        f"public repository or from --source PATH; or set {' and '.join(variables)}"
    )


@pytest.fixture(scope="session")
def family(root: Path) -> families.Family:
    """Some family, for tests that need a real one and do not care which; any machine can have it."""
    return next(one for one in families.find_families(root).values() if not one.image.sources)


@pytest.fixture(scope="session")
def family_python(environments: Environments, family: families.Family) -> Path:
    """The interpreter of that family's environment: it has the toolkit and the server's packages."""
    given = os.environ.get("TRAINYARD_TEST_FAMILY_PYTHON")
    return Path(given) if given else environments.python(family)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No byte more goes onto this disk meanwhile."""
    filling = disk / "filling"
    with suppress(OSError), filling.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    yield
    filling.unlink()


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


def without_docker(reason: str) -> NoReturn:
    if os.environ.get("TRAINYARD_TEST_DOCKER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A Docker Engine that builds."""
    try:
        return find_engine(building=True)
    except DockerError as error:
        without_docker(str(error))


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> str:
    """An image with Python and a shell to build small images from."""
    reference = os.environ.get("TRAINYARD_TEST_BASE_IMAGE", "")
    if not reference or engine.image(reference) is None:
        without_docker(f"TRAINYARD_TEST_BASE_IMAGE={reference} is no image with Python that the engine has")
    return reference


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


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    """An empty image registry on a loopback port."""
    program = shutil.which("docker-registry")
    if program is None:
        without_docker("there is no docker-registry (Debian's package) on PATH")
    folder = tmp_path_factory.mktemp("registry")
    address = f"localhost:{free_port()}"
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": address.replace("localhost", "127.0.0.1")},
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        found = ImageRegistry(address)
        wait_until(lambda: found.tags("none") == [])
        yield found
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until it holds; errors of ours count as no while there is time."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(UserError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.05)
