from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainyard.execution.launchers import venv

SANDBOX = Path(venv.__file__).with_name("sandbox.py")
ISOLATED_OR_NOT = pytest.mark.parametrize("isolate", [True, False])


class Sandboxed:
    def __init__(self, folder: Path, script: str, *, isolate: bool) -> None:
        ml = folder / "ml"
        (ml / "input").mkdir(parents=True)
        (ml / "input" / "file").write_text("original")
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.12 algo-2\n")
        spec = {
            "isolate": isolate, "host": "algo-1", "ml": str(ml), "scratch": str(folder), "hosts_file": str(hosts),
            "mounts": [{"source": str(ml / "input"), "target": "/opt/ml/input", "read_only": True}],
            "command": ["bash", "-c", script], "cwd": "/",
        }  # fmt: skip
        (folder / "spec.json").write_text(json.dumps(spec))
        self.status, writer = os.pipe()
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SANDBOX), str(folder / "spec.json"), str(writer)],
                stdout=log, stderr=log, pass_fds=(writer,), start_new_session=True,
            )  # fmt: skip
        os.close(writer)
        self.answer = os.read(self.status, 500)
        if isolate and self.answer != b"ok":
            pytest.skip(f"the kernel refuses: {self.answer.decode()}")

    def end(self) -> int:
        return self.process.wait(20)


def wait_for(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def new_mark() -> str:
    """Seconds that no other process sleeps, so that a sleeper can be found by them."""
    return f"9{os.getpid()}{time.monotonic_ns() % 100_000:05}"


def sleepers(mark: str) -> list[int]:
    """The processes that are ``sleep MARK``."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if file.read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(int(file.parent.name))
    return found


def alive(mark: str) -> bool:
    return bool(sleepers(mark))


def test_the_job_sees_its_own_opt_ml_and_cannot_change_its_inputs(tmp_path: Path) -> None:
    script = "cat /opt/ml/input/file; echo x > /opt/ml/input/file; echo y > /opt/ml/made; hostname; getent hosts algo-2"
    job = Sandboxed(tmp_path, script, isolate=True)
    assert job.end() == 0
    text = job.log.read_text()
    assert text.startswith("original") and "Read-only file system" in text
    assert "algo-1" in text and "127.0.0.12" in text
    assert (tmp_path / "ml/input/file").read_text() == "original"
    assert (tmp_path / "ml/made").read_text() == "y\n"
    assert not Path("/opt/ml/made").exists()


@ISOLATED_OR_NOT
@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)]
)
def test_exit_codes_are_the_jobs(tmp_path: Path, script: str, code: int, isolate: bool) -> None:
    assert Sandboxed(tmp_path, script, isolate=isolate).end() == code


@ISOLATED_OR_NOT
def test_sigterm_reaches_the_job_which_may_take_its_time(tmp_path: Path, isolate: bool) -> None:
    script = "trap 'sleep 0.3; echo saved; exit 5' TERM; echo ready; while true; do sleep 0.05; done"
    job = Sandboxed(tmp_path, script, isolate=isolate)
    assert wait_for(lambda: "ready" in job.log.read_text())
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 5
    assert "saved" in job.log.read_text()


@ISOLATED_OR_NOT
def test_a_sigterm_at_once_is_not_lost(tmp_path: Path, isolate: bool) -> None:
    job = Sandboxed(tmp_path, "sleep 30", isolate=isolate)
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 143


@ISOLATED_OR_NOT
def test_no_process_outlives_the_job(tmp_path: Path, isolate: bool) -> None:
    mark = new_mark()
    job = Sandboxed(
        tmp_path, f"setsid nohup sleep {mark} & (sleep {mark} &) ; sleep 0.2; exit 0", isolate=isolate
    )
    assert wait_for(lambda: alive(mark))
    assert job.end() == 0
    assert wait_for(lambda: not alive(mark), 2)


@ISOLATED_OR_NOT
def test_the_job_dies_with_whoever_started_it(tmp_path: Path, isolate: bool) -> None:
    """A starter that is killed by SIGKILL takes its job along."""
    mark = new_mark()
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; from pathlib import Path; import test_sandbox as t;"
        f"j = t.Sandboxed(Path(sys.argv[2]), 'setsid sleep {mark} & sleep {mark}', isolate={isolate});"
        "print(j.answer, flush=True); j.end()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)],
        stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        assert wait_for(lambda: alive(mark))
    finally:
        starter.kill()
        starter.wait()
    gone = wait_for(lambda: not alive(mark), 5)
    for process in sleepers(mark):
        os.kill(process, signal.SIGKILL)
    assert gone


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "ml" / "input").mkdir(parents=True)
    spec = {"isolate": False, "ml": "", "mounts": [], "command": ["no-such-command"], "cwd": "/"}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(SANDBOX), str(tmp_path / "spec.json"), "1"],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 127
    assert "cannot start 'no-such-command': No such file or directory" in ended.stderr
