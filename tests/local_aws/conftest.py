"""Servers on loopback, and the clients that talk to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config

from trainyard.execution.request import REGION
from trainyard.local_aws.messages import Service
from trainyard.local_aws.server import Server


@contextmanager
def serving(service: Service) -> Iterator[str]:
    server = Server(0, service)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Service], str]]:
    """Put a service behind a port until the test ends; the answer is its address."""
    with ExitStack() as stack:
        yield lambda service: stack.enter_context(serving(service))


@pytest.fixture
def client() -> Callable[..., Any]:
    """A boto3 client, for example ``client("s3", url)``; what it is told to retry is retried once."""

    def make(service: str, url: str, **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="trainyard",
            aws_secret_access_key="trainyard",
            config=Config(retries={"total_max_attempts": 2}, **config),
        )

    return make
