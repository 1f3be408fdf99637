"""What an isolated container can still do is asked from inside of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tests.preflight.conftest import trained
from trainyard.execution.request import JobRequest
from trainyard.preflight.isolation import SOMEBODY, IsolatedLauncher, give_away, user

PROBE = """
import os, socket
def tries(what):
    try:
        what()
        return "can"
    except OSError:
        return "cannot"
print("user", os.getuid())
print("root", tries(lambda: open("/file", "w")))
print("tmp", tries(lambda: open("/tmp/file", "w")))
print("model", tries(lambda: open("/opt/ml/model/file", "w")))
print("network", tries(lambda: socket.create_connection(("192.0.2.1", 80), 1)), len(os.listdir("/sys/class/net")))
print("capabilities", [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")][0])
print("host", socket.gethostbyname("algo-1"))
"""


def test_nothing_but_tmp_and_the_jobs_folders_can_be_written(toy_bench):
    bench = trained(toy_bench())
    request: JobRequest = replace(bench.request, command=("python3", "-c", PROBE))
    trial = bench.train(request, launcher=IsolatedLauncher(bench.images, bench.store.home))
    assert trial.exit_code == 0, trial.lines
    found = dict(line.split(" ", 1) for line in trial.lines)
    assert found == {
        "user": str(SOMEBODY if os.getuid() == 0 else os.getuid()), "root": "cannot", "tmp": "can", "model": "can",
        "network": "cannot 1", "capabilities": "0000000000000000", "host": "127.0.0.1",
    }  # fmt: skip


def test_folders_are_given_away_and_files_are_not(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_text("")
    give_away(tmp_path)
    root = os.getuid() == 0
    assert (tmp_path / "a" / "b").stat().st_uid == (SOMEBODY if root else os.getuid())
    assert (tmp_path / "a" / "file").stat().st_uid == os.getuid()
    assert bool(user()) == root
