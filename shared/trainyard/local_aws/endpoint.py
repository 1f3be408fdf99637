"""The local endpoint put together: its services, their children and threads, from start to end."""

from __future__ import annotations

import importlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from trainyard.errors import Conflict, NotFound
from trainyard.execution import functions
from trainyard.execution.hosting import START_SECONDS
from trainyard.execution.hosts import Hosts
from trainyard.execution.machine import Machine
from trainyard.execution.store import DEFAULT_BUCKET, Store
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context, Emit, Handler
from trainyard.local_aws.event_bus import EventBus
from trainyard.local_aws.json_api import JsonApi, service_model
from trainyard.local_aws.lambda_api import LambdaApi
from trainyard.local_aws.log_streams import Streams
from trainyard.local_aws.logs_api import LogsApi
from trainyard.local_aws.messages import AwsError, Request, Response, Service
from trainyard.local_aws.moto_child import Moto
from trainyard.local_aws.record import Record, Running
from trainyard.local_aws.router import OURS, Router
from trainyard.local_aws.runtime import Runtime
from trainyard.local_aws.s3 import S3
from trainyard.local_aws.sagemaker import endpoints, executions, job_events, packages
from trainyard.local_aws.server import Server
from trainyard.local_aws.targets import Deliver, deliverer

# modules of trainyard.local_aws.sagemaker, each with its OPERATIONS
_SAGEMAKER = ("jobs", "models", "tags", "pipelines", "executions", "packages", "groups", "endpoints")
_GRACE = 10.0  # seconds for jobs to end by themselves
_REQUESTS = 5.0  # seconds for requests under way
_INTERRUPT = re.compile(re.escape(OURS) + r"training-jobs/([^/]+)/interrupt")

NewMachine = Callable[[str], Machine]
"""Makes a machine for jobs that find the local endpoint at this address."""

Composed = Callable[[str, ExitStack], tuple[Context, dict[str, Service]]]
"""What answers at this address, and what it works with; the stack ends what was started for it."""


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

    def composed(url: str, closing: ExitStack) -> tuple[Context, dict[str, Service]]:
        return compose(store, new_machine, url, record.folder, closing)

    with record.held(), _answering(store, port, composed) as url:
        ready(url)
        record.write(Running(pid=os.getpid(), url=url, started=time.time()))
        service_model("sagemaker")  # so that the first request does not wait for it
        stop.wait()


@contextmanager
def private(store: Store, new_machine: NewMachine) -> Iterator[str]:
    """An address that this process alone knows, on a free port: S3, SageMaker, its runtime, Lambda and logs of jobs.

    It is not the store's endpoint: others may have theirs beside it. No process of it outlives this one; what it has
    recorded stays, and a deployment that is under way is waited for, so that an endpoint is what it is to be. Raises
    SetupError without rclone.
    """
    background = Background(store)

    def composed(url: str, closing: ExitStack) -> tuple[Context, dict[str, Service]]:
        return _jobs(store, new_machine, url, closing, background, _no_events, _no_moto)

    with _answering(store, 0, composed) as url:
        yield url
        background.wait(endpoints.DEPLOYMENT, START_SECONDS)


@contextmanager
def _answering(store: Store, port: int, composed: Composed) -> Iterator[str]:
    """The address where what is composed answers; at the end everything that it has accepted is ended."""
    with ExitStack() as closing:
        router = Router({})
        server = Server(port, router)
        closing.callback(server.server_close)
        (store.home / "s3" / DEFAULT_BUCKET).mkdir(parents=True, exist_ok=True)
        context, router.services = composed(server.url, closing)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="server", daemon=True)
        thread.start()
        closing.callback(context.background.close, 0.0)  # what was accepted to the last
        closing.callback(server.wait_until_idle, _REQUESTS)
        closing.callback(server.shutdown)
        # before the server ends, which jobs may need to store results
        closing.callback(context.background.close, _GRACE)
        yield server.url


def compose(
    store: Store, new_machine: NewMachine, url: str, folder: Path, closing: ExitStack
) -> tuple[Context, dict[str, Service]]:
    """What the operations work with, and the services by the router's names; ``closing`` ends what they start."""
    moto = Moto(store.database, folder / "moto.log")
    moto.start()
    closing.callback(moto.close)
    background = Background(store)
    bus = EventBus(moto, _deliverer(moto, background, url, lambda: context))
    context, services = _jobs(store, new_machine, url, closing, background, bus.emit, moto)
    store.recorder.changes = job_events.announcer(context)
    background.start("schedules", bus.run, bus.close)
    background.start("package events", partial(packages.announce, context))
    return context, {**services, "events": bus, "trainyard": Ours(context), "moto": moto}


def _jobs(
    store: Store,
    new_machine: NewMachine,
    url: str,
    closing: ExitStack,
    background: Background,
    emit: Emit,
    others: Service,
) -> tuple[Context, dict[str, Service]]:
    """The services that are ours or rclone's, and what they work with; ``others`` has the logs that are not of jobs."""
    store.recorder.running()  # made before there are threads that could make two
    s3 = S3(store.home / "s3")
    closing.callback(s3.close)
    hosts = Hosts(lambda: new_machine(url))
    hosts.records.recover()
    closing.callback(hosts.close)
    context = Context(
        new_machine=lambda: replace(new_machine(url), hosts=hosts), background=background, emit=emit
    )
    return context, {
        "s3": s3,
        "sagemaker": JsonApi("sagemaker", sagemaker_operations(), context),
        "sagemaker-runtime": Runtime(hosts),
        "lambda": LambdaApi(context, url),
        "logs": LogsApi(Streams(store), others),
    }


def _no_events(detail_type: str, detail: Mapping[str, Any]) -> None:
    """Nobody could have made rules for them."""


def _no_moto(request: Request) -> Response:
    raise AwsError("UnsupportedOperation", "only the logs of jobs are here; for more: trainyard local up")


def _deliverer(moto: Moto, background: Background, url: str, context: Callable[[], Context]) -> Deliver:
    """Events of rules reach pipelines and functions of this endpoint."""

    def start_pipeline(arn: str, values: Mapping[str, str]) -> None:
        parameters = [{"Name": name, "Value": value} for name, value in values.items()]
        executions.start(context(), {"PipelineName": arn, "PipelineParameters": parameters})

    def invoke_function(arn: str, event: bytes) -> None:
        call = partial(functions.invoke, endpoint_url=url, stop=background.stop)
        background.start(f"function {arn}", lambda: call(background.store, arn, event))

    return deliverer(moto, start_pipeline, invoke_function)


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
            return _json(self._interrupt(unquote(found[1])))
        raise AwsError("NotFound", f"no {request.method} {request.path} here", 404)

    def _interrupt(self, job: str) -> dict[str, str]:
        try:
            self._context.store.recorder.interrupt(job)
        except NotFound as error:
            raise AwsError("NotFound", str(error), 404) from error
        except Conflict as error:
            raise AwsError("Conflict", str(error), 409) from error
        return {"TrainingJobName": job}


def _json(content: Mapping[str, object]) -> Response:
    return Response(
        status=200, body=json.dumps(content).encode() + b"\n", headers=(("Content-Type", "application/json"),)
    )
