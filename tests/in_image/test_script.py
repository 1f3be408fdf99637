"""A script is run as a child: signals reach it, its exit code comes back, its last words are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainyard.in_image import script

SHARED = Path(script.__file__).parents[2]
PARENT = """
import os, sys, time
from pathlib import Path
from trainyard.in_image.script import Script
script = Script()
script.listen()
print("listening", flush=True)
time.sleep(float(sys.argv[2]))
code = script.run([sys.executable, "-c", sys.argv[1]], Path("."), os.environ)
print("last words:", script.last_words())
sys.exit(code)
"""


def start(child: str, wait: float = 0) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, child, str(wait)],
        env={**os.environ, "PYTHONPATH": str(SHARED)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


@pytest.mark.parametrize(
    ("child", "code"),
    [
        ("", 0),
        ("import sys; sys.exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_exit_codes_are_those_of_a_shell(child, code):
    parent = start(child)
    parent.communicate(timeout=20)
    assert parent.returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_script_which_may_take_its_time(number):
    child = "import os, signal, time\n"
    child += "def save(number, frame): time.sleep(0.3); os.write(1, b'saved\\n'); os._exit(5)\n"
    child += f"signal.signal({int(number)}, save)\nprint('ready', flush=True)\ntime.sleep(60)"
    parent = start(child)
    while "ready" not in parent.stdout.readline():
        pass
    parent.send_signal(number)
    output, _ = parent.communicate(timeout=20)
    assert (parent.returncode, output.splitlines()[0]) == (5, "saved")


def test_a_signal_before_the_script_ends_the_process():
    parent = start("print('started')", wait=30)
    assert parent.stdout.readline() == "listening\n"
    parent.terminate()
    assert "started" not in parent.communicate(timeout=20)[0]
    assert parent.returncode == 143


def test_standard_error_is_passed_on_whole_and_its_end_is_kept():
    child = "import sys\nfor i in range(3000): sys.stderr.write(f'line {i}\\n')\nprint('out')"
    output, errors = start(child).communicate(timeout=20)
    assert errors.splitlines() == [f"line {number}" for number in range(3000)]
    words = output.partition("last words: ")[2]
    assert words.endswith("line 2998\nline 2999\n") and words.startswith("line ") and len(words) <= 701


def test_bytes_that_are_no_text_do_no_harm():
    parent = start(r"import sys; sys.stderr.buffer.write(b'\xff\xfe end')")
    output, _ = parent.communicate(timeout=20)
    assert parent.returncode == 0 and output.endswith(" end\n")


def test_a_process_that_holds_standard_error_open_is_not_waited_for():
    child = "import subprocess, sys; print(subprocess.Popen(['sleep', '30'], stdout=-3).pid, flush=True)"
    began = time.monotonic()
    parent = start(child)
    parent.stdout.readline()
    pid = int(parent.stdout.readline())
    try:
        assert parent.wait(timeout=20) == 0
        assert time.monotonic() - began < 10
    finally:
        os.kill(pid, signal.SIGKILL)
        parent.communicate()
