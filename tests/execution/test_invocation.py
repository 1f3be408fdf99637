from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import wait_until
from trainyard.execution.function_runner import MAX_RESPONSE_BYTES
from trainyard.execution.invocation import Function, Invocation, run
from trainyard.execution.logs import times_of
from trainyard.execution.request import StopSignal


@pytest.fixture
def invoke(tmp_path):
    """Invoke a function of this source."""

    def make(source, payload=b"{}", stop=None, endpoint_url="", client_context="", **settings) -> Invocation:
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        (code / "main.py").write_text(source)
        values = {"handler": "main.handler", "timeout": 10, "memory": 128, **settings}
        function = Function(
            name="f", arn="arn:f", version="$LATEST", runtime="python3.11", code=code, **values
        )
        return run(
            function, tmp_path / "home", tmp_path / "logs", payload,
            stop=stop, endpoint_url=endpoint_url, client_context=client_context,
        )  # fmt: skip

    return make


def test_the_handler_gets_the_event_and_a_context(invoke) -> None:
    source = """
import os
def handler(event, context):
    left = context.get_remaining_time_in_millis()
    return {"twice": event["n"] * 2, "left": 9000 < left <= 10000, "id": context.aws_request_id,
            "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
            "custom": context.client_context["custom"], "cwd": os.path.exists("main.py")}
"""
    ended = invoke(source, b'{"n": 21}', client_context="eyJjdXN0b20iOiB7ImEiOiAxfX0=")
    assert ended.error == ""
    assert ended.result == {
        "twice": 42, "left": True, "id": ended.request_id, "memory": "128", "arn": "arn:f",
        "custom": {"a": 1}, "cwd": True,
    }  # fmt: skip


def test_its_environment_is_its_own(invoke, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    with_endpoint = invoke(source, endpoint_url="http://127.0.0.1:1", environment={"MINE": "1"}).result
    assert with_endpoint["MINE"] == "1"
    assert with_endpoint["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert with_endpoint["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert with_endpoint["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert "SECRET_OF_MINE" not in with_endpoint
    alone = invoke(source).result
    assert "AWS_ENDPOINT_URL" not in alone
    assert "AWS_ACCESS_KEY_ID" not in alone
    assert not Path(alone["TMPDIR"]).exists()
    assert list((tmp_path / "home").iterdir()) == []


def test_an_exception_is_an_error_with_its_trace(invoke) -> None:
    ended = invoke("def handler(event, context):\n    raise KeyError('lost')\n")
    assert ended.error == "Unhandled"
    assert ended.result["errorType"] == "KeyError"
    assert ended.result["errorMessage"] == "'lost'"
    assert [line.rpartition("/")[2] for line in ended.result["stackTrace"]] == [
        "main.py\", line 2, in handler\n    raise KeyError('lost')\n"
    ]
    assert b"[ERROR] KeyError: 'lost'" in ended.log


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import nowhere", "Runtime.ImportModuleError", "Unable to import module 'main': No module named 'nowhere'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'main'"),
        ("def", "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'"),
        ("def handler(e, c): return {1j: 2}", "Runtime.MarshalError", "Unable to marshal response"),
        ("def handler(e, c): return float('nan')", "Runtime.MarshalError", "Unable to marshal response"),
        (
            f"def handler(e, c): return 'x' * {MAX_RESPONSE_BYTES}",
            "Function.ResponseSizeTooLarge", "Response payload size exceeded",
        ),
        ("import sys\ndef handler(e, c): sys.exit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("import os\ndef handler(e, c): os._exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("import os\ndef handler(e, c): os.kill(os.getpid(), 9)", "Runtime.ExitError", "error: signal: killed"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said_as_lambda_says_it(invoke, source, kind, message) -> None:
    ended = invoke(source)
    assert ended.error == "Unhandled"
    assert ended.result["errorType"] == kind
    assert message in ended.result["errorMessage"]


def test_it_has_its_time_and_no_more_and_leaves_nothing_running(invoke, tmp_path) -> None:
    source = f"""
import subprocess, time
def handler(event, context):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
    print("before")
    time.sleep(60)
"""
    began = time.monotonic()
    ended = invoke(source, timeout=1)
    assert time.monotonic() - began < 5
    assert ended.result["errorType"] == "Sandbox.Timedout"
    assert ended.result["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert b"before\n" in ended.log
    assert f"{ended.request_id} Task timed out after 1.00 seconds\n".encode() in ended.log
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_it_does_not_outlive_its_caller_even_by_sigkill(tmp_path) -> None:
    (tmp_path / "main.py").write_text(f"""
import os, time
def handler(event, context):
    open({str(tmp_path / "pid.new")!r}, "w").write(str(os.getpid()))
    os.rename({str(tmp_path / "pid.new")!r}, {str(tmp_path / "pid")!r})
    time.sleep(60)
""")
    caller = f"""
from pathlib import Path
from trainyard.execution.invocation import Function, run
here = Path({str(tmp_path)!r})
function = Function(name="f", arn="a", version="1", runtime="python3.11", handler="main.handler", timeout=60,
                    memory=128, code=here)
run(function, here / "home", here / "logs", b"")
"""
    process = subprocess.Popen([sys.executable, "-c", caller])
    wait_until((tmp_path / "pid").exists)
    child = int((tmp_path / "pid").read_text())
    process.kill()
    process.wait()

    def gone() -> bool:
        try:
            return "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True

    wait_until(gone, 10)


def test_what_a_kill_left_behind_is_swept_away_and_what_runs_is_not(invoke, tmp_path) -> None:
    for name in (".run-killed", ".run-young", "other"):
        (tmp_path / "home" / name / "tmp").mkdir(parents=True)
    for name in (".run-killed", "other"):
        os.utime(tmp_path / "home" / name, (time.time() - 7200,) * 2)
    assert invoke("def handler(e, c): return 1").result == 1
    assert {path.name for path in (tmp_path / "home").iterdir()} == {".run-young", "other"}


def test_a_second_stop_ends_it(invoke) -> None:
    stop = StopSignal()
    for seconds in (0.2, 0.4):
        threading.Timer(seconds, stop.request).start()
    began = time.monotonic()
    ended = invoke("import time\ndef handler(e, c): time.sleep(60)", stop=stop, timeout=60)
    assert time.monotonic() - began < 5
    assert "the invocation was stopped" in ended.result["errorMessage"]


def test_a_first_stop_waits_for_its_end(invoke) -> None:
    stop = StopSignal()
    stop.request()
    assert invoke("import time\ndef handler(e, c):\n    time.sleep(0.3)\n    return 1", stop=stop).result == 1


def test_it_has_its_memory_and_no_more(invoke) -> None:
    source = "def handler(event, context): return len(bytearray(event << 20))"
    assert invoke(source, b"100").result == 100 << 20
    ended = invoke(source, b"600")
    assert ended.result["errorType"] == "MemoryError"
    assert "MemorySize of 128 MB" in ended.result["errorMessage"]


def test_the_log_frames_what_it_printed(invoke, tmp_path) -> None:
    source = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed")
    logging.info("logged")
"""
    first, second = invoke(source), invoke(source)
    lines = first.log.decode().splitlines()
    assert lines[0] == f"START RequestId: {first.request_id} Version: $LATEST"
    assert lines[1] == "printed"
    assert re.fullmatch(rf"\[INFO\]\t20\S+Z\t{first.request_id}\tlogged", lines[2])
    assert lines[3] == f"END RequestId: {first.request_id}"
    assert re.search(r"Memory Size: 128 MB\tMax Memory Used: [1-9]\d* MB", lines[4])
    (file,) = (tmp_path / "logs").rglob("*.log")
    assert re.fullmatch(r"20\d\d/\d\d/\d\d/\[\$LATEST\].log", file.relative_to(tmp_path / "logs").as_posix())
    assert file.read_bytes() == first.log + second.log
    assert times_of(file)[0] == [len(first.log), len(first.log + second.log)]
