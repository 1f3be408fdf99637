"""ci/docker_here on a machine that has Docker and a base image; that it installs them is what CI runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port, wait_until, without_docker
from trainyard.errors import ImageRegistryError
from trainyard.images.remote import ImageRegistry

BASE = "trainyard-base:bookworm"


@pytest.fixture
def here(engine, registry, tmp_path):
    """Run it with a registry of its own; ``programs`` comes first on PATH."""
    if engine.image(BASE) is None:
        without_docker(f"there is no {BASE} yet: ci/docker_here makes it in a minute")
    port = free_port()

    def run(programs: Path) -> tuple[subprocess.CompletedProcess[str], ImageRegistry]:
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "TRAINYARD_REGISTRY_PORT": str(port)}
        command = ["bash", str(ROOT / "ci" / "docker_here"), str(tmp_path / "state")]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
        return done, ImageRegistry(f"localhost:{port}")

    yield run
    engine.try_run("rmi", "--no-prune", f"localhost:{port}/{BASE}")


@pytest.mark.slow
def test_it_says_what_it_started_and_what_to_set(here, tmp_path):
    done, registry = here(tmp_path)
    variables = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
    pid = int(variables["TRAINYARD_REGISTRY_PID"])
    try:
        assert (done.returncode, variables["TRAINYARD_DOCKERD_PID"]) == (0, "")
        assert variables["TRAINYARD_LOOPBACK_REGISTRY"] == registry.host
        assert variables["TRAINYARD_BASE_IMAGE"] == registry.find(*BASE.split(":")).image
        again, _ = here(tmp_path)
        used = dict(line.removeprefix("export ").split("=", 1) for line in again.stdout.splitlines())
        assert used == {**variables, "TRAINYARD_REGISTRY_PID": ""}
    finally:
        os.kill(pid, 15)


@pytest.mark.slow
def test_where_it_fails_nothing_is_left_running_and_nothing_is_set(here, tmp_path):
    deaf = tmp_path / "docker-registry"  # it answers, but takes no images
    deaf.write_text("#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 $TRAINYARD_REGISTRY_PORT\n")
    deaf.chmod(0o755)
    done, registry = here(tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""

    def gone() -> bool:
        try:
            registry.tags("none")
        except ImageRegistryError as error:
            return "cannot be reached" in str(error)
        return False

    wait_until(gone)


def test_a_base_image_that_could_not_be_made_is_not_there_the_next_time(engine, tmp_path):
    name = f"r{tmp_path.name.lower()}:x"
    broken = tmp_path / "mmdebstrap"
    broken.write_text("#!/bin/sh\necho 'E: there is no network' >&2\nexit 25\n")
    broken.chmod(0o755)
    script = (ROOT / "ci" / "docker_here").read_text().replace("trainyard-base:$suite", name)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", "-c", script, "docker_here", str(tmp_path / "state")]
    dangling = ("image", "ls", "--quiet", "--no-trunc", "--filter", "dangling=true")
    before = set(engine.run(*dangling).split())
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "E: there is no network" in done.stderr
    assert engine.image(name) is None
    assert set(engine.run(*dangling).split()) <= before
