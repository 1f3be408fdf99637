from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trainyard.errors import DockerError
from trainyard.images.engine import PROGRAM_VARIABLE, Engine, find_engine, last_line


@pytest.fixture
def fake(tmp_path: Path):
    """A ``docker`` of a given version, with or without an engine behind it and buildx."""

    def make(
        folder: str, client: str, *, server: str = "20.10", buildx: bool = False, driver: str = "docker"
    ) -> Path:
        program = tmp_path / folder / "docker"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *Client*) echo {client};;\n'
            f'*Server*) [ "{server}" ] && echo "{server}" || {{ echo "Cannot connect" >&2; exit 1; }};;\n'
            f'"buildx version") exit {0 if buildx else 1};;\n'
            f'"buildx inspect") printf "Name: b\\nDriver:          {driver}\\n";;\n'
            "*) echo 'Error response from daemon: no such thing' >&2; exit 2;; esac\n"
        )
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def path(monkeypatch):
    monkeypatch.delenv(PROGRAM_VARIABLE, raising=False)
    return lambda *programs: monkeypatch.setenv("PATH", ":".join(str(program.parent) for program in programs))


def test_the_first_docker_that_reaches_an_engine_is_taken(fake, path):
    deaf, able = fake("a", "28.2", server=""), fake("b", "20.10")
    path(deaf, able)
    assert find_engine() == Engine(program=str(able))


def test_to_build_it_must_reach_buildkit(fake, path):
    without, old, with_buildx = fake("a", "28.2"), fake("b", "20.10"), fake("c", "28.2", buildx=True)
    path(without, old, with_buildx)
    assert find_engine() == Engine(program=str(without))
    assert find_engine(building=True) == Engine(program=str(old), builder="buildkit")
    path(without, with_buildx)
    assert find_engine(building=True) == Engine(program=str(with_buildx), builder="buildx")


@pytest.mark.parametrize(
    ("driver", "writes"), [("docker", False), ("docker-container", True), ("remote", True)]
)
def test_only_a_builder_outside_the_engine_writes_caches(fake, path, driver, writes):
    path(fake("a", "28.2", buildx=True, driver=driver))
    assert find_engine(building=True).writes_cache == writes


def test_one_may_be_named(fake, path, monkeypatch):
    first, named = fake("a", "20.10"), fake("b", "20.10")
    path(first)
    monkeypatch.setenv(PROGRAM_VARIABLE, str(named))
    assert find_engine().program == str(named)


def test_why_there_is_none_is_said(fake, path):
    path(fake("a", "28.2", server=""), fake("b", "28.2"))
    with pytest.raises(DockerError, match=r"a/docker: Cannot connect; .*b/docker: it has no buildx"):
        find_engine(building=True)


def test_who_may_not_use_it_is_told_how_to(tmp_path, path):
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'permission denied while trying to connect' >&2; exit 1\n")
    program.chmod(0o755)
    path(program)
    with pytest.raises(DockerError, match=r"permission denied.* Join its group"):
        find_engine()


def test_a_path_without_docker_says_so(tmp_path, path):
    path(tmp_path / "docker")
    with pytest.raises(DockerError, match="there is no docker on PATH"):
        find_engine()


def test_a_refusal_is_one_line(fake):
    engine = Engine(program=str(fake("a", "20.10")))
    with pytest.raises(DockerError, match=r"^docker push x: no such thing$"):
        engine.run("push", "x")
    with pytest.raises(DockerError, match=r"^docker image inspect x: no such thing$"):
        engine.image("x")


def test_what_cannot_be_run_is_one_line(fake, tmp_path):
    engine = Engine(program=str(fake("a", "20.10")))
    with pytest.raises(DockerError, match=r"^docker create x: Argument list too long$"):
        engine.run("create", "x", "y" * 200_000)
    with pytest.raises(DockerError, match=r"^docker create x: No such file or directory$"):
        Engine(program=str(tmp_path / "gone")).run("create", "x")


def test_ctrl_c_at_the_terminal_does_not_reach_docker(tmp_path):
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nread -r line < /proc/$$/stat; set -- $line; echo $6\n")
    program.chmod(0o755)
    assert int(Engine(program=str(program)).run()) != os.getsid(0)


def test_last_line_skips_what_says_nothing():
    assert last_line(b"one\ntwo\n \n\n") == "two"
    assert last_line(b"") == "no output"


def test_an_image_is_described(engine, base_image):
    image = engine.image(base_image)
    assert image.id.startswith("sha256:") and image.size > 1_000_000 and "PATH" in image.environment
    assert engine.image(image.id).id == image.id
    assert engine.image("trainyard/none:none") is None
    with pytest.raises(DockerError, match=r"--help: .*invalid reference format"):
        engine.image("--help")


def test_the_engine_says_whether_it_has_gpus(engine):
    runtimes = json.loads(engine.run("info", "--format", "{{json .Runtimes}}"))
    assert engine.has_gpus() == ("nvidia" in runtimes)


def test_bytes_and_files_may_be_standard_input(engine, base_image, tmp_path):
    (tmp_path / "input").write_bytes(b"from a file")
    command = ("run", "--rm", "-i", "--entrypoint", "cat", base_image)
    assert engine.run(*command, stdin=b"from memory") == "from memory"
    with (tmp_path / "input").open("rb") as file:
        assert engine.run(*command, stdin=file) == "from a file"
