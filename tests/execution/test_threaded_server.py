from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.conftest import wait_until
from trainyard.execution.threaded_server import ThreadedServer


class Handler(socketserver.StreamRequestHandler):
    server: ThreadedServer

    def handle(self) -> None:
        with self.server.request_under_way():
            said = self.rfile.readline()
            if said == b"bug\n":
                raise ZeroDivisionError("a bug")
            if said == b"gone\n":
                raise ConnectionResetError("the client went away")
            self.wfile.write(said)


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    with ThreadedServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def answer(connection: socket.socket, said: bytes) -> bytes:
    connection.sendall(said)
    return connection.recv(100)


def test_it_waits_for_the_requests_under_way_and_no_longer_than_told(server) -> None:
    server.wait_until_idle(0)
    with socket.create_connection(server.server_address) as slow:
        wait_until(lambda: server._under_way == 1)
        began = time.monotonic()
        server.wait_until_idle(0.1)
        assert 0.1 <= time.monotonic() - began < 1
        with socket.create_connection(server.server_address) as other:
            assert answer(other, b"quick\n") == b"quick\n"
        ending = threading.Timer(0.1, lambda: answer(slow, b"done\n"))
        ending.start()
        server.wait_until_idle(10)
        assert 0.2 <= time.monotonic() - began < 5
        ending.join()


def test_a_bug_ends_its_request_and_is_printed_and_a_client_that_goes_away_is_not(server, capfd) -> None:
    for said in (b"gone\n", b"bug\n"):
        with socket.create_connection(server.server_address) as connection:
            assert answer(connection, said) == b""
    server.wait_until_idle(10)
    err = capfd.readouterr().err
    assert "ZeroDivisionError: a bug" in err and "ConnectionResetError" not in err
