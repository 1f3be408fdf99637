"""One invocation of a Lambda function, in the function's own process; a script, never imported by others.

``python -Ps function_runner.py FOLDER``: the event is FOLDER/event.json, the answer becomes FOLDER/result.json,
``{"payload": TEXT, "error": true or false}``. What AWS's Python runtime gives a handler is here as well: the
context, a root logger, errors with their stack trace.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

MAX_RESPONSE_BYTES = 6_291_556
_UNTOUCHED = 128 << 20  # what threads and libraries reserve and never use is no memory on AWS


class Fault(Exception):
    """An error of the runtime, not of the handler; ``kind`` is its errorType."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.trace = kind, trace or []


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """AWS: "Using the Lambda context object to retrieve Python function information"."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.aws_request_id = spec["request_id"]
        self.invoked_function_arn = spec["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = _client_context(spec["client_context"])
        self.identity = Identity()
        self._deadline = spec["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message: object) -> None:
        print(message)


def main(folder: Path) -> int:
    spec = json.loads((folder / "spec.json").read_text())
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    _limit(spec["memory"] << 20)
    _set_up_logging(spec["request_id"])
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
    try:
        event = json.loads((folder / "event.json").read_bytes() or b"{}")
        payload, error = _marshal(_handler(os.environ["_HANDLER"])(event, Context(spec))), False
    except Exception as raised:
        payload, error = json.dumps(_explain(raised, spec), ensure_ascii=False), True
    sys.stdout.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    partial = folder / "result.partial"
    answer = {"payload": payload, "error": error, "peak": peak}
    partial.write_text(json.dumps(answer), encoding="ascii")
    partial.rename(folder / "result.json")
    return 0


def _limit(memory: int) -> None:
    most = memory + _UNTOUCHED
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _set_up_logging(request_id: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    line = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s"
    handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    logging.Formatter.converter = time.gmtime
    logging.getLogger().addHandler(handler)


def _handler(text: str) -> Callable[[Any, Context], Any]:
    module_name, dot, name = text.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{text}': write MODULE.FUNCTION")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from error
    found = getattr(module, name, None)
    if not callable(found):
        raise Fault("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    handler: Callable[[Any, Context], Any] = found
    return handler


def _marshal(result: Any) -> str:
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False, default=_plain)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    if size > MAX_RESPONSE_BYTES:
        raise Fault(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
        )
    return text


def _plain(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _explain(error: Exception, spec: dict[str, Any]) -> dict[str, Any]:
    if isinstance(error, Fault):
        kind, message, trace = error.kind, str(error), error.trace
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        kind, message, trace = type(error).__name__, str(error), traceback.format_list(frames)
    if isinstance(error, MemoryError):
        message = message or f"the function needs more than its MemorySize of {spec['memory']} MB"
    print(f"[ERROR] {kind}: {message}")
    if trace:
        print("Traceback (most recent call last):\n" + "".join(trace), end="")
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": spec["request_id"],
        "stackTrace": trace,
    }


def _client_context(text: str) -> Any:
    try:
        return json.loads(base64.b64decode(text)) if text else None
    except ValueError:
        return None


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
