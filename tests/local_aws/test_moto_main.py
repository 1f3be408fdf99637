"""The process alone; that it ends with its parent is seen in test_moto_child.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import EndpointConnectionError

from tests.conftest import ROOT, free_port, wait_until

COMMAND = [sys.executable, "-m", "trainyard.local_aws.moto_main"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "shared"), "MOTO_ACCOUNT_ID": "0" * 12}


def test_it_serves_and_leaves_ctrl_c_to_its_parent(client, tmp_path: Path) -> None:
    port = free_port()
    sts = client("sts", f"http://127.0.0.1:{port}")

    def answers() -> bool:
        try:
            return bool(sts.get_caller_identity()["Account"] == "000000000000")
        except EndpointConnectionError:
            return False

    command = [*COMMAND, str(port), str(os.getpid())]
    log = tmp_path / "log"
    with log.open("wb") as file, subprocess.Popen(command, stderr=file, env=ENVIRONMENT) as process:
        try:
            wait_until(answers)
            process.send_signal(signal.SIGINT)
            assert answers() and process.poll() is None
        finally:
            process.kill()
    assert "POST" not in log.read_text()  # or it would grow for ever


def test_it_does_not_start_for_a_parent_that_has_gone() -> None:
    command = [*COMMAND, str(free_port()), "1"]
    found = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stderr) == (1, "the local endpoint has gone\n")
