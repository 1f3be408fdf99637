"""shared/docker/install-source in a container of the tests' base image, without network: a wheel needs no compiler."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from trainyard.images.engine import Engine

MAKE = "python3 -m venv --without-pip /opt/venv"
WHEEL = "/sources/thing/thing-1-py3-none-any.whl"


@pytest.fixture(scope="module")
def run(engine: Engine, base_image: str, root: Path, tmp_path_factory: pytest.TempPathFactory):
    """Run a command in a container with a wheel of the package ``thing``."""
    sources = tmp_path_factory.mktemp("sources")
    (sources / "thing").mkdir()
    with zipfile.ZipFile(sources / "thing" / Path(WHEEL).name, "w") as wheel:
        wheel.writestr("thing.py", "answer = 42")
        wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
        wheel.writestr(
            "thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("thing-1.dist-info/RECORD", "")
    mounts = ["-v", f"{root}/shared/docker:/build:ro", "-v", f"{sources}:/sources:ro"]
    return lambda command: engine.try_run(
        "run", "--rm", "--network", "none", *mounts, base_image, "sh", "-ec", command
    )


def test_a_wheel_is_installed_into_the_environment_and_nothing_else_passes_for_it(run):
    look = "/opt/venv/bin/python -c 'import thing; print(thing.answer)'"
    ended = run(f"{MAKE}; /build/install-source thing {WHEEL}; {look}; /build/install-source other {WHEEL}")
    assert b"\n42\n" in ended.stdout, ended.stderr
    assert ended.returncode and b"not found: other" in ended.stderr, ended
