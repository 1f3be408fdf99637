"""The local endpoint put together: its services, their children and threads, from start to end."""

from __future__ import annotations

import importlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from trainyard.execution.machine import Machine
from trainyard.execution.store import DEFAULT_BUCKET, Store
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.json_api import JsonApi, service_model
from trainyard.local_aws.messages import AwsError, Request, Response, Service
from trainyard.local_aws.record import Record, Running
from trainyard.local_aws.router import OURS, Router
from trainyard.local_aws.s3 import S3
from trainyard.local_aws.server import Server

# modules of trainyard.local_aws.sagemaker, each with its OPERATIONS
_SAGEMAKER = ("jobs", "models", "tags", "pipelines", "executions", "packages", "groups", "endpoints")
_GRACE = 10.0  # seconds for jobs to end by themselves
_REQUESTS = 5.0  # seconds for requests under way
_INTERRUPT = re.compile(re.escape(OURS) + r"training-jobs/([^/]+)/interrupt")

NewMachine = Callable[[str], Machine]
"""Makes a machine for jobs that find the local endpoint at this address."""


def run(
    store: Store,
    new_machine: NewMachine,
    port: int,
    stop: threading.Event,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Be the store's endpoint until ``stop`` is set; ``ready`` is called with the address when it answers, before
    others can find it.

    Raises EndpointError where there is one already or the port is taken, and SetupError without rclone.
    """
    record = Record(store.home)
    with record.held(), ExitStack() as closing:
        router = Router({})
        server = Server(port, router)
        closing.callback(server.server_close)
        (store.home / "s3" / DEFAULT_BUCKET).mkdir(parents=True, exist_ok=True)
        background = Background(store)
        context = Context(new_machine=lambda: new_machine(server.url), background=background)
        router.services.update(services(context, server.url, closing))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="server", daemon=True)
        thread.start()
        closing.callback(background.close, 0.0)  # what was accepted to the last
        closing.callback(server.wait_until_idle, _REQUESTS)
        closing.callback(server.shutdown)
        closing.callback(
            background.close, _GRACE
        )  # before the server ends, which jobs may need to store results
        ready(server.url)
        record.write(Running(pid=os.getpid(), url=server.url, started=time.time()))
        service_model("sagemaker")  # so that the first request does not wait for it
        stop.wait()


def services(context: Context, url: str, closing: ExitStack) -> dict[str, Service]:
    """What the endpoint offers, by the router's names; ``closing`` ends what they have started."""
    s3 = S3(context.store.home / "s3")
    closing.callback(s3.close)
    return {
        "s3": s3,
        "sagemaker": JsonApi("sagemaker", sagemaker_operations(), context),
        "trainyard": Ours(context),
    }


def sagemaker_operations() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for name in _SAGEMAKER:
        found |= importlib.import_module(f"trainyard.local_aws.sagemaker.{name}").OPERATIONS
    return found


class Ours:
    """What AWS has no API for: ``GET /_trainyard/health``, ``POST /_trainyard/training-jobs/NAME/interrupt``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __call__(self, request: Request) -> Response:
        if request.method == "GET" and request.path == f"{OURS}health":
            return _json({"pid": os.getpid(), "running": len(self._context.store.recorder.running())})
        found = _INTERRUPT.fullmatch(request.path)
        if found and request.method == "POST":
            return _json(self._interrupt(found[1]))
        raise AwsError("NotFound", f"no {request.method} {request.path} here", 404)

    def _interrupt(self, job: str) -> dict[str, str]:
        running = self._context.store.recorder.running()
        recording = next((one for one in running if (one.kind, one.name) == ("training-job", job)), None)
        if recording is None:
            raise AwsError("NotFound", f"no training job {job!r} runs here", 404)
        recording.stop.interrupt()
        return {"TrainingJobName": job}


def _json(content: Mapping[str, object]) -> Response:
    return Response(
        status=200, body=json.dumps(content).encode() + b"\n", headers=(("Content-Type", "application/json"),)
    )
