"""Limits of control groups of both versions, as files of the kernel say them; and memory that comes back."""

from __future__ import annotations

import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainyard.in_image.server.memory import Memory, give_back

MB = 2**20
MEMINFO = f"MemTotal: {1000 * 1024} kB\nMemFree: 1 kB\nMemAvailable: {700 * 1024} kB\n"


@pytest.fixture
def system(tmp_path):
    """Files below a root that stand for the kernel's."""

    def make(**files: str) -> Path:
        for name, text in {"proc/meminfo": MEMINFO, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


def test_without_a_limit_it_is_the_machine(system):
    memory = Memory(system())
    assert (memory.limit, memory.free()) == (1000 * MB, 700 * MB)
    assert not memory.is_short() and not memory.is_short(650 * MB) and memory.is_short(651 * MB)


def test_a_container_has_its_own_group_as_root(system):
    group = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{200 * MB}\n"}
    used = {
        "sys/fs/cgroup/memory.current": f"{195 * MB}",
        "sys/fs/cgroup/memory.stat": "anon 5\ninactive_file 0\n",
    }
    memory = Memory(system(**group, **used))
    assert (memory.limit, memory.free()) == (200 * MB, 5 * MB)
    assert memory.is_short()
    system(**{"sys/fs/cgroup/memory.stat": f"inactive_file {100 * MB}\n"})  # the page cache gives way
    assert memory.free() == 105 * MB and not memory.is_short()
    cache = f"inactive_file {100 * MB}\nactive_file {60 * MB}\nfile_mapped {40 * MB}\n"
    system(**{"sys/fs/cgroup/memory.stat": cache})
    assert memory.free() == 125 * MB
    system(**{"sys/fs/cgroup/memory.stat": f"file_mapped {40 * MB}\n"})  # of shared memory
    assert memory.free() == 5 * MB


def test_the_least_limit_of_all_groups_around_it_holds(system):
    base = "sys/fs/cgroup"
    memory = Memory(
        system(
            **{
                "proc/self/cgroup": "0::/a/b\n",
                f"{base}/a/b/memory.max": "max\n",
                f"{base}/a/b/memory.current": "1",
                f"{base}/a/memory.max": f"{50 * MB}",
                f"{base}/a/memory.current": f"{10 * MB}",
            }
        )
    )
    assert (memory.limit, memory.free()) == (50 * MB, 40 * MB)


def test_version_1_and_what_it_calls_no_limit(system):
    base = "sys/fs/cgroup/memory"
    cache = {"total_inactive_file": 7, "total_active_file": 5, "total_mapped_file": 2}
    root = system(
        **{
            "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/\n",
            f"{base}/memory.limit_in_bytes": f"{100 * MB}",
            f"{base}/memory.usage_in_bytes": f"{60 * MB}",
            f"{base}/memory.stat": "".join(f"{key} {size * MB}\n" for key, size in cache.items()),
        }
    )
    assert (Memory(root).limit, Memory(root).free()) == (100 * MB, 50 * MB)
    system(**{f"{base}/memory.limit_in_bytes": "9223372036854771712"})
    assert Memory(root).limit == 1000 * MB


def test_this_machine_has_memory():
    assert 0 < Memory().free() <= Memory().limit


def test_what_is_freed_goes_back_to_the_system():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    pieces = [bytes(1000) for _ in range(100_000)]  # each too small for a mapping of its own
    assert resident() - before > 80 * MB
    pinned = pieces[-1]  # lies on top of the heap
    del pieces
    give_back()
    assert resident() - before < 40 * MB and pinned


def test_what_one_thread_collects_another_need_not_wait_in_vain_for():
    class Node:
        pass

    def pause(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            time.sleep(0.05)  # others run while the collector is at work

    def one() -> bool:
        node = Node()
        node.itself, seen = node, weakref.ref(node)
        del node
        give_back()
        return seen() is None

    gc.callbacks.append(pause)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(lambda _: one(), range(12)))
    finally:
        gc.callbacks.remove(pause)
