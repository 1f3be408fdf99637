from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainyard.execution.locks import Locks


@pytest.fixture
def locks(tmp_path) -> Locks:
    return Locks(tmp_path)


def test_one_takes_it_at_a_time(locks, tmp_path) -> None:
    assert not locks.held("a")
    first = locks.take("a")
    assert first is not None
    assert locks.held("a")
    assert locks.take("a") is None
    assert locks.take("a", shared=True) is None
    locks.drop("a", first)
    assert not locks.held("a")
    assert list(tmp_path.iterdir()) == []


def test_shared_ones_keep_others_out(locks) -> None:
    with locks.take("a", shared=True), locks.take("a", shared=True):
        assert locks.take("a") is None
    with locks.take("a"):
        assert locks.held("a")


def test_a_sweep_leaves_only_what_is_held(locks, tmp_path) -> None:
    with locks.take("mine"):
        (tmp_path / "dead").touch()
        locks.sweep()
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]
        assert locks.held("mine")


def test_sweeping_meanwhile_never_leaves_two_holders(locks) -> None:
    inside: list[int] = []

    def once(number: int) -> int:
        locks.sweep()
        file = locks.take("a")
        if file is None:
            return 0
        inside.append(number)
        assert inside == [number]
        assert locks.held("a")
        inside.remove(number)
        locks.drop("a", file)
        return 1

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(once, range(800))) > 0


def test_the_kernel_takes_it_from_a_killed_process(locks, tmp_path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trainyard.execution.locks import Locks\n"
        "file = Locks(Path(sys.argv[1])).take('a'); print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == b"up\n"
    assert locks.held("a")
    process.kill()
    process.wait()
    process.stdout.close()
    assert not locks.held("a")
    locks.sweep()
    assert list(tmp_path.iterdir()) == []
