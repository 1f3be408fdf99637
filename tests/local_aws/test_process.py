from __future__ import annotations

import resource
import subprocess
import sys
from io import BufferedWriter, TextIOWrapper

from trainyard.local_aws.process import Log

ALLOWED = """
import resource
from trainyard.local_aws import process
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
process.allow_files()
process.print_to_what_may_be_full()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_log_without_room_stops_nothing() -> None:
    log = TextIOWrapper(BufferedWriter(Log("/dev/full", "wb")), line_buffering=True)
    print("x" * 10_000, file=log, flush=True)


def test_it_may_open_what_the_machine_allows_and_prints_to_stderr() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 300
    done = subprocess.run([sys.executable, "-c", ALLOWED], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "300\n")
