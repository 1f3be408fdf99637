"""``trainyard local``: the endpoint that boto3, the aws CLI and the SageMaker SDK take for AWS."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from urllib.parse import quote, urlsplit

from trainyard.cli import local
from trainyard.errors import EndpointError, UsageError
from trainyard.execution.request import client_environment
from trainyard.execution.store import DEFAULT_BUCKET, Store, default_home
from trainyard.local_aws.record import Record, Running

PORT = 4599
_STARTS = 60.0  # seconds until it must answer
_ENDS = 90.0  # seconds until it must have stopped its jobs and itself
# The SDK asks STS for the account to name a bucket, at an address that cannot be changed: so the bucket is given.
_SDK_FILE = "sagemaker.yaml"
_SDK = f"""SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: {DEFAULT_BUCKET}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", title="actions", dest="action", required=True)
    up = actions.add_parser("up", help="start it", allow_abbrev=False)
    up.add_argument(
        "--port", type=int, default=PORT, help=f"port on 127.0.0.1; 0 picks a free one (default {PORT})"
    )
    up.add_argument(
        "--map",
        metavar="IMAGE=TARGET",
        action="append",
        default=[],
        help="what stands for an image: a family, venv:PATH or docker:IMAGE; may be repeated",
    )
    local.add_with_argument(up)
    up.add_argument("--foreground", action="store_true", help="run here until Ctrl-C")
    actions.add_parser("down", help="stop it, and the jobs it runs", allow_abbrev=False)
    for name, text in (
        ("status", "say where it answers"),
        ("env", "print what clients need in their environment"),
    ):
        action = actions.add_parser(name, help=text, allow_abbrev=False)
        action.add_argument("--json", action="store_true", help="print JSON")
    interrupt = actions.add_parser(
        "interrupt", help="take a spot training job's instance away", allow_abbrev=False
    )
    interrupt.add_argument("job", help="the training job's name")


def run(args: argparse.Namespace) -> int:
    actions = {"up": _up, "down": _down, "status": _status, "env": _env, "interrupt": _interrupt}
    return actions[args.action](args)


def _up(args: argparse.Namespace) -> int:
    if not 0 <= args.port < 2**16:
        raise UsageError(f"--port {args.port}: a port is a number from 0 to 65535")
    record = Record(Store().home)
    if args.foreground:
        return _serve(record, args)
    running = record.read()
    if running is None:
        running = _start(record, _arguments(args))
        print(f"the local endpoint is up at {running.url}; its log is {record.log}")
    else:
        print(f"the local endpoint is up already, at {_answering(record).url}")
        if len(_arguments(args)) > 2:
            print("for other images, end it first: --map and --with are read when it starts")
    print('use it with: eval "$(trainyard local env)"; end it with: trainyard local down')
    return 0


def _arguments(args: argparse.Namespace) -> list[str]:
    mappings = [text for mapping in args.map for text in ("--map", mapping)]
    chosen = getattr(args, "with")
    return ["--port", str(args.port), *mappings, *(["--with", chosen] if chosen else [])]


def _serve(record: Record, args: argparse.Namespace) -> int:
    """Be the endpoint, until a signal."""
    from trainyard.cli.progress import Plain
    from trainyard.local_aws import endpoint, process

    process.print_to_what_may_be_full()
    process.allow_files()
    here = local.Local(Plain(sys.stderr).take, args.map, getattr(args, "with"))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: stop.set())

    def ready(url: str) -> None:
        (record.folder / _SDK_FILE).write_text(_SDK)
        print(f"the local endpoint is up at {url}", flush=True)

    threading.Thread(target=here.sweep, daemon=True).start()
    endpoint.run(here.store, here.machine, args.port, stop, ready)
    return 0


def _start(record: Record, arguments: Sequence[str]) -> Running:
    """Start the endpoint as a process of its own; raises EndpointError with its last words where it ends."""
    record.folder.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-m", "trainyard.cli", "local", "up", "--foreground", *arguments]
    environment = {**os.environ, "TRAINYARD_HOME": str(record.folder.parent)}
    with record.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline:
        running = record.read()
        if running and running.url:
            return running
        if process.poll() is not None and running is None:
            break
        time.sleep(0.02)
    else:
        process.terminate()
    words = record.log.read_text(errors="replace").splitlines()[-1:] or ["it said nothing"]
    raise EndpointError(f"the local endpoint did not start: {words[0].removeprefix('trainyard: ')}")


def _down(args: argparse.Namespace) -> int:
    record = _record()
    running = record.read()
    if running is None:
        print("the local endpoint is not up")
        return 0
    with suppress(ProcessLookupError):  # it has ended by itself meanwhile
        os.kill(running.pid, signal.SIGTERM)
        if not _ended(record, running.pid):
            os.kill(running.pid, signal.SIGKILL)
            raise EndpointError(
                f"the local endpoint did not end within {_ENDS:.0f} s, so it was killed; see its log {record.log}"
            )
    print("the local endpoint is down")
    return 0


def _ended(record: Record, pid: int) -> bool:
    """Whether the process ends in time; where processes cannot be waited for (macOS), whether it leaves the store."""
    if hasattr(os, "pidfd_open"):
        process = os.pidfd_open(pid)
        try:
            return bool(select.select([process], [], [], _ENDS)[0])
        finally:
            os.close(process)
    deadline = time.monotonic() + _ENDS
    while (found := record.read()) and found.pid == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _status(args: argparse.Namespace) -> int:
    record = _record()
    running = record.read()
    if args.json:
        print(
            json.dumps(
                {"up": False} if running is None else {"up": True, "pid": running.pid, "url": running.url}
            )
        )
    elif running is None:
        print("the local endpoint is not up; start it with: trainyard local up")
    else:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(running.started))
        where = f"at {running.url} since {began}" if running.url else "starting or ending"
        print(f"the local endpoint is up, {where}; process {running.pid}, log {record.log}")
    return 0 if running else 1


def _env(args: argparse.Namespace) -> int:
    record = _record()
    names = {
        **client_environment(_answering(record).url),
        "SAGEMAKER_VALIDATE_ROLE": "false",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(record.folder / _SDK_FILE),
    }
    if args.json:
        print(json.dumps(names, indent=2))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in names.items()))
    return 0


def _interrupt(args: argparse.Namespace) -> int:
    address = urlsplit(_answering(_record()).url)
    with closing(http.client.HTTPConnection(address.netloc, timeout=30)) as connection:
        try:
            connection.request("POST", f"/_trainyard/training-jobs/{quote(args.job, safe='')}/interrupt")
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EndpointError(f"the local endpoint does not answer: {error}") from error
    if answer.status != 200:
        raise EndpointError(content.get("message", f"the endpoint answered {answer.status}"))
    print(f"interrupted {args.job}; it goes on from its checkpoint")
    return 0


def _record() -> Record:
    """Of the store, which need not be there, or be in a state to be opened."""
    return Record(default_home().absolute())


def _answering(record: Record) -> Running:
    """The endpoint, once it answers if it is starting; raises EndpointError."""
    deadline = time.monotonic() + _STARTS
    while (running := record.read()) and not running.url and time.monotonic() < deadline:
        time.sleep(0.02)
    if running is None or not running.url:
        raise EndpointError("the local endpoint is not up; start it with: trainyard local up")
    return running
