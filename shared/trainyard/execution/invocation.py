"""Run a Lambda function once, as a process of its own: its environment, its time, its memory, its log."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainyard.execution.request import REGION, StopSignal, client_environment
from trainyard.execution.s3 import disk_errors

_SANDBOX = Path(__file__).parent / "launchers" / "sandbox.py"
_RUNNER = Path(__file__).with_name("function_runner.py")
_LOOK_EVERY = 0.1
_LONGEST_LOG = 16 << 20
_LONGEST = 3600.0  # seconds; AWS allows 900


@dataclass(frozen=True, kw_only=True)
class Function:
    """What runs: ``timeout`` is in seconds, ``memory`` in MB, ``code`` the folder that it is imported from."""

    name: str
    arn: str
    version: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    code: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How one ended: ``payload`` is JSON, what the handler gave or the error; ``error`` is empty or Unhandled."""

    request_id: str
    payload: bytes
    error: str
    log: bytes

    @property
    def result(self) -> Any:
        return json.loads(self.payload)


def run(
    function: Function,
    home: Path,
    logs: Path,
    payload: bytes,
    *,
    endpoint_url: str = "",
    stop: StopSignal | None = None,
    client_context: str = "",
) -> Invocation:
    """Run it to its end, at most ``function.timeout`` seconds, in a folder below ``home``.

    What it printed is appended to ``logs/<year>/<month>/<day>/[<version>].log``. All that the function has
    started ends with it, and with this process, even by SIGKILL. Raises DiskFull.
    """
    request_id = str(uuid.uuid4())
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        with tempfile.TemporaryDirectory(prefix=".run-", dir=home, ignore_cleanup_errors=True) as name:
            environment = _environment(function, Path(name), endpoint_url, request_id)
            return _run(function, logs, Path(name), payload, request_id, environment, stop, client_context)


def _sweep(home: Path) -> None:
    """Remove the folders of invocations that a kill -9 left: none lasts as long as they have been there."""
    for folder in home.glob(".run-*"):
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - _LONGEST:
                shutil.rmtree(folder, ignore_errors=True)


def _run(
    function: Function,
    logs: Path,
    folder: Path,
    payload: bytes,
    request_id: str,
    environment: Mapping[str, str],
    stop: StopSignal | None,
    client_context: str,
) -> Invocation:
    began, clock = time.time(), time.monotonic()
    spec = {
        "request_id": request_id,
        "arn": function.arn,
        "memory": function.memory,
        "deadline": began + function.timeout,
        "client_context": client_context,
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "event.json").write_bytes(payload)
    code, ending = _process(function, folder, environment, stop)
    seconds = min(time.monotonic() - clock, function.timeout) if ending else time.monotonic() - clock
    answer = _answer(function, folder, request_id, code, ending)
    output = _tail(folder / "output", _LONGEST_LOG)
    if output and not output.endswith(b"\n"):
        output += b"\n"
    if ending or (answer["error"] and not (folder / "result.json").exists()):
        said = json.loads(answer["payload"])["errorMessage"].partition("Error: ")[2]
        output += (
            f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3].encode() + f"Z {request_id} {said}\n".encode()
        )
    log = _framed(function, request_id, output, seconds, answer.get("peak", 0))
    _append(logs / f"{environment['AWS_LAMBDA_LOG_STREAM_NAME']}.log", log)
    return Invocation(
        request_id=request_id,
        payload=str(answer["payload"]).encode(errors="backslashreplace"),
        error="Unhandled" if answer["error"] else "",
        log=log,
    )


def _process(
    function: Function, folder: Path, environment: Mapping[str, str], stop: StopSignal | None
) -> tuple[int, str]:
    """The exit code, and why it was killed, if it was, by us."""
    sandbox = {
        "isolate": False,
        "command": [sys.executable, "-Ps", str(_RUNNER), str(folder)],
        "cwd": str(function.code),
    }
    (folder / "sandbox.json").write_text(json.dumps(sandbox))
    reader, writer = os.pipe()
    ending = ""
    with (folder / "output").open("ab") as output, os.fdopen(reader, "rb", buffering=0) as status:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SANDBOX), str(folder / "sandbox.json"), str(writer)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
            pass_fds=(writer,), start_new_session=True,
        )  # fmt: skip
        os.close(writer)
        status.read(100)  # ready to be killed with all that it starts
        deadline = time.monotonic() + function.timeout
        while not select.select([status], [], [], max(0.0, min(_LOOK_EVERY, deadline - time.monotonic())))[0]:
            if not ending and time.monotonic() >= deadline:
                ending = f"Task timed out after {function.timeout:.2f} seconds"
            elif not ending and stop is not None and stop.hurried:
                ending = "the invocation was stopped"
            if ending:
                process.send_signal(signal.SIGUSR1)  # the supervisor kills everything below it
                break
        code = process.wait()
    return code if code >= 0 else 128 - code, ending


def _answer(function: Function, folder: Path, request_id: str, code: int, ending: str) -> dict[str, Any]:
    result = folder / "result.json"
    if result.exists() and not ending:
        answer: dict[str, Any] = json.loads(result.read_bytes())
        return answer
    kind = "Sandbox.Timedout" if ending.startswith("Task timed out") else "Runtime.ExitError"
    if not ending:
        how = f"signal: {_signal_name(code - 128)}" if code > 128 else f"exit status {code}"
        ending = f"Runtime exited with error: {how}" if code else "Runtime exited without providing a reason"
    error = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {ending}"}
    return {"payload": json.dumps(error), "error": True}


def _signal_name(number: int) -> str:
    try:
        return str(signal.strsignal(number)).lower()
    except ValueError:
        return str(number)


def _environment(function: Function, folder: Path, endpoint_url: str, request_id: str) -> dict[str, str]:
    """AWS: "Defined runtime environment variables"; nothing of the caller's."""
    clients = client_environment(endpoint_url)
    if not endpoint_url:  # without an endpoint there is nothing that these keys are for
        clients = {name: value for name, value in clients.items() if "KEY" not in name and value}
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        **libraries,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "TZ": ":UTC",
        "PYTHONDONTWRITEBYTECODE": "1",  # the code is shared by all invocations
        "MALLOC_ARENA_MAX": "2",
        **function.environment,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **clients,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "_X_AMZN_TRACE_ID": f"Root=1-{int(time.time()):x}-{request_id.replace('-', '')[:24]};Sampled=0",
    }


def _framed(function: Function, request_id: str, output: bytes, seconds: float, peak: int) -> bytes:
    """The log of one invocation as CloudWatch shows it; ``peak`` is in kB."""
    milliseconds = seconds * 1000
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {function.memory} MB\t"
        f"Max Memory Used: {peak // 1024 or function.memory} MB\t\n"
    )
    start = f"START RequestId: {request_id} Version: {function.version}\n"
    return start.encode() + output + f"END RequestId: {request_id}\n{report}".encode()


def _append(log: Path, text: bytes) -> None:
    """In one write, so that invocations at the same time do not mix their lines; beside it the time of that."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file, log.with_suffix(".times").open("a") as times:
        file.write(text)
        times.write(f"{file.tell()} {int(time.time() * 1000)}\n")


def _tail(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - most))
        return file.read()
