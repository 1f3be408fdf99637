"""A way from containers to the local endpoint, which listens on this machine's loopback address alone."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from trainyard.images.engine import Engine

_ADDRESS = "AWS_ENDPOINT_URL"
_GATEWAYS = "{{range .IPAM.Config}}{{println .Gateway}}{{end}}"
_PART = 1 << 18


@contextmanager
def reachable(engine: Engine, network: str, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """``environment`` with the endpoint's address, if it has one, as containers of ``network`` reach it.

    A port of the network's gateway, which is this machine as those containers see it, leads to the endpoint until
    the context ends. Where the gateway is another machine (Docker Desktop, a rootless engine) nothing does, and
    the address stays. Raises DockerError where there is no such network.
    """
    url = environment.get(_ADDRESS, "")
    gateway = _gateway(engine, network) if url else ""
    try:
        forwarder = _Forwarder(gateway, url) if gateway else None
    except OSError:  # no address of this machine
        forwarder = None
    if forwarder is None:
        yield dict(environment)
        return
    thread = threading.Thread(target=forwarder.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield {**environment, _ADDRESS: f"http://{gateway}:{forwarder.server_address[1]}"}
    finally:
        forwarder.shutdown()
        thread.join()
        forwarder.server_close()


def _gateway(engine: Engine, network: str) -> str:
    """Its IPv4 address."""
    found = engine.run("network", "inspect", "--format", _GATEWAYS, network).split()
    return next((address for address in found if ":" not in address), "")


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, gateway: str, url: str) -> None:
        """Raises OSError where ``gateway`` is no address of this machine."""
        address = urlsplit(url)
        self.target = (str(address.hostname), address.port or 80)
        super().__init__((gateway, 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Forwarder
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.target) as endpoint:
            answers = threading.Thread(target=_pass_on, args=(endpoint, self.request), daemon=True)
            answers.start()
            _pass_on(self.request, endpoint)
            answers.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Everything, then the end."""
    with suppress(OSError):
        while content := source.recv(_PART):
            sink.sendall(content)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
