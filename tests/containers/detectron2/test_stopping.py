"""SIGTERM is noted, and told to the processes of the host."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import multiprocessing, os, signal, sys, time
sys.path.insert(0, {folder!r})
import stopping

def work(started):
    stopping.listen()
    started.set()
    while not stopping.asked():
        time.sleep(0.01)
    sys.exit(7)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    child = context.Process(target=work, args=(started,))
    child.start()
    stopping.listen(telling=True)
    started.wait()
    assert not stopping.asked()
    print("ready", flush=True)
    child.join()
    print(stopping.asked(), child.exitcode, flush=True)
"""


def test_a_process_and_its_children_hear_of_it(module, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(module("stopping").__file__).parent)))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "True 7\n" and process.wait() == 0
    process.stdout.close()
