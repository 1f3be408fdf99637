from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainyard.errors import DockerError
from trainyard.execution.images import Images
from trainyard.execution.launchers import containers
from trainyard.execution.launchers.containers import RunningContainer
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.request import Mount
from trainyard.images.engine import Engine

ODD = {
    "LINES": "a\nb=c\n",
    "EQUAL": "=a=b",
    "BLANK": "  both ends  ",
    "EMPTY": "",
    "CARRIAGE": "x\r",
    "QUOTES": "'\"$HOME`id`\\",
    "#HASH": "name",
    "two words": "name",
    "LONG": "x" * 100_000,
    "NAME": "Žluťoučký 🐎",
    # none of these is meant for the docker command
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "DOCKER_HOST": "tcp://192.0.2.1:1",
    "DOCKER_CONFIG": "/nowhere",
    "LD_PRELOAD": "",
}


@pytest.fixture
def make(engine: Engine, base_image: str, tmp_path: Path) -> Iterator:
    """A function that runs a line of Python in a container that is removed at the end of the test."""
    with containers.owning(engine, tmp_path, tmp_path) as labels:

        def run(code: str, *options: str, mounts: tuple[Mount, ...] = (), **environment: str):
            container = containers.create(
                engine, base_image, ["python3", "-c", code], options=[*labels, *options], mounts=mounts,
                environment=environment, scratch=tmp_path,
            )  # fmt: skip
            running = RunningContainer(engine, container, tmp_path / "log")
            return running.reap(), (tmp_path / "log").read_bytes().decode()

        yield run


def test_variables_arrive_as_they_are(make, tmp_path: Path) -> None:
    _, log = make("import json, os; print(json.dumps(dict(os.environ)))", **ODD)
    environment = json.loads(log)
    assert {name: environment.get(name) for name in ODD} == ODD
    assert not (tmp_path / "environment").exists()


def test_variables_are_not_seen_by_others(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    arguments, of_client = containers._environment(file, {"TOKEN": "secret", "KEY": "-----BEGIN\nsecret\n"})
    assert "secret" not in " ".join(arguments)
    assert file.read_text() == "TOKEN=secret\n" and file.stat().st_mode & 0o077 == 0
    assert of_client == {"KEY": "-----BEGIN\nsecret\n"}


def test_folders_are_mounted_whatever_they_are_called(make, tmp_path: Path) -> None:
    odd, inner = tmp_path / 'a,b "c":d=e', tmp_path / "inner"
    for folder in (odd / "inner", inner):
        folder.mkdir(parents=True)
    (inner / "file").write_text("from inner")
    code = (
        "import os, pathlib\npathlib.Path('/data/out').write_text('made')\n"
        "print(open('/data/inner/file').read(), flush=True)\nopen('/data/inner/file', 'w')"
    )
    mounts = (
        Mount(source=inner, container_path="/data/inner/", read_only=True),
        Mount(source=odd, container_path="/data", read_only=False),
        Mount(source=tmp_path, container_path="/data/inner", read_only=True),
        Mount(source=inner, container_path="/data/inner", read_only=True),
    )
    exit_code, log = make(code, mounts=mounts)
    # standard output and error are two streams, of which the engine may write either first
    assert exit_code == 1 and "from inner\n" in log and "Read-only file system" in log
    assert (odd / "out").read_text() == "made"


def test_no_line_is_lost_doubled_or_torn(make) -> None:
    """Several times, because it is the end of the log that comes late, and not always."""
    code = (
        "import sys\nfor i in range(20_000):\n"
        "    print('out', i, 'x' * 50)\n    if i % 7 == 0: print('err', i, file=sys.stderr, flush=True)\n"
        "print('end', end='')"
    )
    expected = [f"out {i} {'x' * 50}" for i in range(20_000)] + ["end"]
    before = 0
    for _ in range(4):
        _, log = make(code)
        lines = log[before:].splitlines()
        assert [line for line in lines if not line.startswith("err")] == expected
        assert [line for line in lines if line.startswith("err")] == [f"err {i}" for i in range(0, 20_000, 7)]
        before = len(log)


def test_one_that_had_no_memory_left_says_so(make) -> None:
    exit_code, log = make("x = 'x' * (200 << 20)", "--memory", "64m")
    assert exit_code == 137
    assert log.splitlines()[-1] == "trainyard: the kernel killed the container, which had no memory left"


def test_it_cannot_gain_privileges_and_has_shared_memory(make) -> None:
    code = (
        "import os\nprint([line for line in open('/proc/self/status') if 'NoNewPrivs' in line])\n"
        "s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize >> 20)"
    )
    _, log = make(code)
    assert "NoNewPrivs:\\t1" in log and int(log.split()[-1]) >= 512


def test_what_a_process_owns_is_gone_with_the_context(
    engine: Engine, base_image: str, tmp_path: Path, left_behind
) -> None:
    with containers.owning(engine, tmp_path, tmp_path) as labels:
        engine.run("network", "create", *labels, f"trainyard-test-{os.getpid()}")
        made = engine.run("create", *labels, "--volume", "/kept", base_image, "true").strip()
        volume = engine.run("inspect", "--format", "{{(index .Mounts 0).Name}}", made).strip()
        # another job of the same store begins and ends meanwhile
        (tmp_path / "other").mkdir()
        with containers.owning(engine, tmp_path, tmp_path / "other"):
            pass
        assert len(left_behind(tmp_path)) == 2
        assert volume in engine.run("volume", "ls", "--quiet").split()
    assert left_behind(tmp_path) == []
    assert volume not in engine.run("volume", "ls", "--quiet").split()


OWNER = """
import sys, time
from pathlib import Path
from trainyard.execution.launchers import containers
from trainyard.execution.launchers.containers import RunningContainer
from trainyard.images.engine import find_engine
engine, home = find_engine(), Path(sys.argv[2])
folder = home / "jobs" / "job"
folder.mkdir(parents=True)
with containers.owning(engine, home, folder) as labels:
    network = engine.run("network", "create", *labels, home.name).strip()
    made = containers.create(engine, sys.argv[1], ["sleep", "600"], options=[*labels, "--network", network],
                             mounts=[], environment={}, scratch=folder)
    RunningContainer(engine, made, folder / "log")
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("swept", [False, True])
def test_the_next_one_removes_what_a_killed_process_has_left(
    engine: Engine, base_image: str, tmp_path: Path, left_behind, images: Images, swept: bool
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, base_image, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    assert owner.stdout is not None
    with owner, owner.stdout:
        assert owner.stdout.readline() == b"up\n"
        (tmp_path / "next").mkdir()
        with containers.owning(engine, tmp_path, tmp_path / "next"):
            assert len(left_behind(tmp_path)) == 2  # its owner lives
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    if swept:
        DockerLauncher(images, tmp_path).sweep()
        assert left_behind(tmp_path) == []
    with containers.owning(engine, tmp_path, tmp_path / "next"):
        assert left_behind(tmp_path) == []


AS_SOMEBODY = """
import os, sys
from pathlib import Path
from trainyard.execution.launchers import containers
from trainyard.execution.request import Mount
from trainyard.images.engine import find_engine
engine, folder = find_engine(), Path(sys.argv[2])
code = '''
import getpass, os, pathlib, tempfile
pathlib.Path("/data/deep/er").mkdir(parents=True); pathlib.Path("/data/deep/er/file").touch()
print(getpass.getuser(), os.path.expanduser("~"), tempfile.mkdtemp()[:5]); (pathlib.Path.home() / ".cache").mkdir()
'''
with containers.owning(engine, folder, folder) as labels:
    made = containers.create(engine, sys.argv[1], ["python3", "-c", code], options=labels, scratch=folder,
                             mounts=[Mount(source=folder, container_path="/data", read_only=False)], environment={})
    running = containers.RunningContainer(engine, made, folder / "log")
    sys.exit(running.reap())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_files_belong_to_the_caller(engine: Engine, base_image: str) -> None:
    # pytest keeps its own folders from others
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, 12345, 12346)
        socket = Path("/var/run/docker.sock").stat().st_gid
        ended = subprocess.run(
            ["setpriv", "--reuid=12345", "--regid=12346", f"--groups={socket}",
             sys.executable, "-c", AS_SOMEBODY, base_image, str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr + (folder / "log").read_text()
        assert (folder / "log").read_text() == "trainyard /tmp /tmp/\n"
        made = [folder / "deep", folder / "deep/er", folder / "deep/er/file"]
        assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 12346)}


def test_a_restarted_engine_is_no_end_of_the_container(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    with containers.owning(engine, tmp_path, tmp_path) as labels:
        made = containers.create(
            engine, base_image, ["sleep", "60"], options=labels, mounts=[], environment={}, scratch=tmp_path
        )
        running = RunningContainer(engine, made, tmp_path / "log")
        assert not running.wait(0.2)
        running._ended.kill()  # as docker does when the engine goes away
        began = time.monotonic()
        with pytest.raises(DockerError, match="was it restarted"):
            running.reap()
        assert time.monotonic() - began < 5
        running.kill()
        running._follower.wait(10)
