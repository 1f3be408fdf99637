"""Workers that work, die, hang and fail; whatever they do, the fleet ends and leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

WORK = """
import json, os, signal, subprocess, sys, tempfile, time
from pathlib import Path

import fleet

def work(task):
    kind, value = task
    if kind == "square":
        return value * value
    if kind == "where":
        return [os.environ["OMP_NUM_THREADS"], tempfile.gettempdir(), os.getpid()]
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "killed once" and not Path(value).exists():
        Path(value).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "exits":
        raise SystemExit(3)
    if kind == "raises":
        raise TypeError("a bug")
    if kind == "disk full":
        raise OSError(28, "No space left on device", value)
    if kind == "sleeps":
        Path(value, f"{os.getpid()}.pid").touch()
        child = subprocess.Popen(["sleep", "600"])
        Path(value, f"{child.pid}.pid").touch()
        time.sleep(600)
    return kind

def reported(task, result):
    return [task, result.reason if isinstance(result, fleet.Died) else result]
"""


@pytest.fixture
def results(snippet, tmp_path):
    """Run tasks in a fleet; [task, result] in the order in which they got done."""

    def run(tasks, processes=2):
        text = f"print(json.dumps([reported(*pair) for pair in fleet.run(work, {tasks!r}, {processes})]))"
        return json.loads(snippet(f"{WORK}\nif __name__ == '__main__':\n    {text}\n", tmp_path).stdout)

    return run


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def gone(folder, within=5.0):
    """Whether all processes that left their id in ``folder`` end in time."""
    pids = [path.stem for path in folder.glob("*.pid")]
    until = time.monotonic() + within
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return [pid for pid in pids if alive(pid)] == []


def test_every_task_is_answered_once(results):
    found = results([("square", value) for value in range(50)], 3)
    assert sorted(found) == [[["square", value], value * value] for value in range(50)]
    assert results([]) == []


def test_workers_are_kept_and_use_one_thread_and_a_scratch_folder(results):
    found = [result for _, result in results([("where", value) for value in range(20)])]
    assert {threads for threads, _, _ in found} == {"1"}
    assert 1 <= len({pid for _, _, pid in found}) <= 2
    (scratch,) = {folder for _, folder, _ in found}
    assert "fleet-" in scratch and not Path(scratch).exists()


def test_the_dead_are_replaced_and_their_task_tried_once_more(results, tmp_path):
    tasks = [("killed", 0), ("exits", 0), ("raises", 0), ("killed once", str(tmp_path / "once"))]
    found = {task[0]: result for task, result in results([*tasks, *[("square", n) for n in range(9)]])}
    assert "SIGKILL" in found["killed"] and "memory" in found["killed"]
    assert found["exits"] == "its process ended with exit code 3; its last words are in the log"
    assert found["raises"] == "its process ended with exit code 1; its last words are in the log"
    assert found["killed once"] == "killed once"


def test_of_a_dead_tasks_parts_only_the_bad_one_dies(snippet, tmp_path):
    code = f"""{WORK}
def several(tasks):
    return [work(task) for task in tasks]

def endless():
    for number in range(10):
        print("asked for", number, file=sys.stderr)
        yield [("square", number)]

if __name__ == '__main__':
    batch = [("square", 2), ("killed", 0), ("square", 3)]
    run = fleet.run(several, [batch, [("square", 4)]], 2, lambda batch: [[task] for task in batch])
    print(json.dumps([reported(*pair) for pair in run]))
    next(fleet.run(several, endless(), 2))
"""
    ran = snippet(code, tmp_path)
    found = {json.dumps(task): result for task, result in json.loads(ran.stdout)}
    assert [found[f'[["square", {number}]]'] for number in (2, 3, 4)] == [[4], [9], [16]]
    assert "SIGKILL" in found['[["killed", 0]]'] and len(found) == 4
    assert 2 <= ran.stderr.count("asked for") <= 4, "tasks are asked for as they are needed"


def test_a_full_disk_is_nobodys_fault_and_ends_all(snippet, tmp_path):
    code = f"""{WORK}
if __name__ == '__main__':
    try:
        list(fleet.run(work, [("disk full", "/there/x"), ("sleeps", {str(tmp_path)!r})], 2))
    except OSError as error:
        print(error.errno, error)
"""
    assert snippet(code, tmp_path).stdout == "28 [Errno 28] No space left on device: /there/x\n"
    assert gone(tmp_path)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_the_fleet(family_python, environment, module, tmp_path, end):
    script = tmp_path / "sleepy.py"
    run = f"list(fleet.run(work, [('sleeps', {str(tmp_path)!r})] * 2, 2))"
    script.write_text(f"{WORK}\nif __name__ == '__main__':\n    {run}\n")
    paths = f"{Path(module('fleet').__file__).parent}{os.pathsep}{environment(tmp_path)['PYTHONPATH']}"
    process = subprocess.Popen(
        [str(family_python), str(script)],
        env=environment(tmp_path, PYTHONPATH=paths),
        stderr=subprocess.DEVNULL,
    )
    while len(list(tmp_path.glob("*.pid"))) < 4:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(end)
    assert process.wait(10) == -end
    workers = [path for path in tmp_path.glob("*.pid") if not is_sleep(path.stem)]
    if end == signal.SIGKILL:  # nobody was left to end what the workers had started
        for path in set(tmp_path.glob("*.pid")) - set(workers):
            os.kill(int(path.stem), signal.SIGKILL)
    assert gone(tmp_path)


def is_sleep(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    except FileNotFoundError:
        return False


def test_cores(module):
    fleet = module("fleet")
    assert fleet.cores(3) == 3
    assert fleet.cores() == len(os.sched_getaffinity(0))
