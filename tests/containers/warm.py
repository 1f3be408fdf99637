"""Runs scripts in forks of a process that has imported its framework already, which takes seconds each time.

    warm.py MODULE NAME: to import the module and look the name up in it imports the framework

Reads one JSON request per line: ``{"start": [script, arguments...], "environment": {...}, "log": file}`` is answered
with the process's id, ``{"wait": id}`` with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import traceback
from operator import attrgetter
from pathlib import Path


def child(request):
    script = request["start"][0]
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:] = request["start"]
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main():
    module, name = sys.argv[1:]
    attrgetter(name)(importlib.import_module(module))
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                code = child(request)
                sys.stdout.flush()
                os._exit(code)
        os.write(1, f"{answer}\n".encode())


if __name__ == "__main__":  # the processes that a script spawns import this module
    main()
