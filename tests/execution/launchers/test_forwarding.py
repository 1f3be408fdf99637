from __future__ import annotations

import socket
import socketserver
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from trainyard.errors import DockerError
from trainyard.execution.launchers.forwarding import reachable
from trainyard.images.engine import Engine

LONG = 3 << 20


class Endpoint(socketserver.ThreadingTCPServer):
    """Answers with what it was told, once that has ended."""

    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.read())

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, args=(0.01,))
        thread.start()
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{endpoint.server_address[1]}", "A": "1"}
        endpoint.shutdown()
        thread.join()


@pytest.fixture
def engine(tmp_path: Path):
    """A docker that knows one network, of these gateways."""

    def make(*gateways: str) -> Engine:
        program = tmp_path / "docker"
        known = "\n".join(f"echo {gateway}" for gateway in gateways)
        program.write_text(
            f'#!/bin/sh\ntest "$5" = net || {{ echo "no such network" >&2; exit 1; }}\n{known}\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return Engine(program=str(program))

    return make


def said_back(url: str, content: bytes) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=10) as connection:
        sender = threading.Thread(
            target=lambda: (connection.sendall(content), connection.shutdown(socket.SHUT_WR))
        )
        sender.start()
        answer = b"".join(iter(lambda: connection.recv(1 << 18), b""))
        sender.join()
    return answer


def test_a_port_of_the_gateway_leads_to_the_endpoint_as_long_as_it_is_needed(engine, environment) -> None:
    with reachable(engine("::1", "127.0.0.2"), "net", environment) as reached:
        url = reached["AWS_ENDPOINT_URL"]
        assert url.startswith("http://127.0.0.2:") and reached["A"] == "1"
        content = bytes(range(256)) * (LONG // 256)
        assert said_back(url, content) == content
        with socket.create_connection(("127.0.0.2", urlsplit(url).port or 0)):  # one that says nothing
            assert said_back(url, b"x") == b"x"
    with pytest.raises(ConnectionRefusedError):
        said_back(url, b"x")


@pytest.mark.parametrize("gateways", [(), ("::1",), ("192.0.2.1",)])
def test_where_no_gateway_is_this_machine_the_address_stays(engine, environment, gateways) -> None:
    with reachable(engine(*gateways), "net", environment) as reached:
        assert reached == environment


def test_without_an_endpoint_nobody_is_asked(environment) -> None:
    with reachable(Engine(program="/nowhere"), "net", {"A": "1"}) as reached:
        assert reached == {"A": "1"}


def test_a_network_that_is_not_there_is_said_so(engine, environment) -> None:
    with pytest.raises(DockerError, match="no such network"), reachable(engine(), "other", environment):
        pass
