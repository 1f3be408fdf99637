from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast
from urllib.parse import urlsplit

import pytest

from tests.conftest import wait_until
from tests.local_aws.conftest import serving
from trainyard.execution.launchers.forwarding import reachable
from trainyard.images.engine import Engine
from trainyard.local_aws.messages import Request, Response
from trainyard.local_aws.router import Router

ASK = """
import os, socket, urllib.request
url = os.environ["AWS_ENDPOINT_URL"] + "/bucket/" + socket.gethostname()
request = urllib.request.Request(url, os.urandom(1000000), method="PUT")
print(urllib.request.urlopen(request, timeout=20).read().decode(), url)
"""


class Gateways:
    """Stands for an engine that tells a network's gateways."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, ...]] = []

    def run(self, *arguments: str) -> str:
        self.asked.append(arguments)
        return "\n".join(self.addresses)


def forwarded(gateways: Gateways, url: str):
    environment = {"AWS_ENDPOINT_URL": url, "MINE": "1"} if url else {"MINE": "1"}
    return reachable(cast(Engine, gateways), "job", environment)


def length(request: Request) -> Response:
    return Response(status=200, body=f"{request.path} {len(request.body())}".encode())


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A local endpoint's address, where S3 answers with path and length."""
    with serving(Router({"s3": length})) as url:
        yield url


def put(address: str, path: str, size: int) -> str:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("PUT", path, bytes(size))
    return connection.getresponse().read().decode()


def test_a_port_of_the_gateway_alone_leads_to_the_endpoint_until_the_end(endpoint: str) -> None:
    with forwarded(Gateways("fd00::1", "127.0.0.2"), endpoint) as environment:
        url = urlsplit(environment.pop("AWS_ENDPOINT_URL"))
        assert environment == {"MINE": "1"} and url.hostname == "127.0.0.2"
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda n: put(url.netloc, f"/b/{n}", n * 100_000), range(40)))
        assert answers == [f"/b/{n} {n * 100_000}" for n in range(40)]
        for elsewhere in ("127.0.0.1", "127.0.0.3"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((elsewhere, url.port or 0))
    with pytest.raises(ConnectionRefusedError):
        put(url.netloc, "/b/late", 1)


@pytest.mark.parametrize("address", ["192.0.2.1", "fd00::1", ""])
def test_where_the_gateway_is_another_machine_the_address_stays(address: str, endpoint: str) -> None:
    with forwarded(Gateways(address), endpoint) as environment:
        assert environment == {"AWS_ENDPOINT_URL": endpoint, "MINE": "1"}


def test_without_an_endpoint_no_engine_is_asked() -> None:
    gateways = Gateways("127.0.0.2")
    with forwarded(gateways, "") as environment:
        assert environment == {"MINE": "1"} and gateways.asked == []


def test_either_side_that_goes_away_is_gone_for_the_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with forwarded(Gateways("127.0.0.2"), f"http://127.0.0.1:{port}") as environment:
            address = ("127.0.0.2", urlsplit(environment["AWS_ENDPOINT_URL"]).port or 0)
            client = socket.create_connection(address, timeout=10)
            accepted, _ = server.accept()
            client.close()
            assert accepted.recv(1) == b""
            accepted.close()
            client = socket.create_connection(address, timeout=10)
            server.accept()[0].close()
            assert client.recv(1) == b""
            client.close()
            server.close()
            with socket.create_connection(address, timeout=10) as refused:
                assert refused.recv(1) == b""
    wait_until(lambda: not [each for each in threading.enumerate() if "process_request" in each.name])


def test_all_hosts_of_a_job_in_containers_reach_it(
    launch_in_docker, endpoint: str, left_behind, store
) -> None:
    ended, logs, _ = launch_in_docker(ASK, host_count=2, endpoint_url=endpoint)
    assert ended.exit_codes == (0, 0), logs
    for host, log in zip(("algo-1", "algo-2"), logs, strict=True):
        answer, size, url = log.split()
        assert (answer, size) == (f"/bucket/{host}", "1000000") and urlsplit(url).port != urlsplit(
            endpoint
        ).port
        with pytest.raises(OSError):
            put(urlsplit(url).netloc, "/b/late", 1)
    assert left_behind(store.home) == []
