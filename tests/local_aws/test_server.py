from __future__ import annotations

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.local_aws.conftest import serving
from trainyard.errors import DiskFull, EndpointError
from trainyard.local_aws import server as servers
from trainyard.local_aws.messages import AwsError, Request, Response
from trainyard.local_aws.server import Server


def echo(request: Request) -> Response:
    content = {
        "method": request.method, "path": request.path, "query": request.query, "length": request.length,
        "headers": dict(request.headers), "body": request.body().decode(),
    }  # fmt: skip
    return Response(status=200, body=json.dumps(content).encode(), headers=(("X-Ours", "yes"),))


@pytest.fixture
def connect(serve):
    def to(service) -> http.client.HTTPConnection:
        address = urlsplit(serve(service))
        return http.client.HTTPConnection(address.hostname, address.port, timeout=10)

    return to


def ask(connection, method="GET", path="/", body=None, headers=()):
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return answer, answer.read()


def raw(serve, text: bytes, service=echo) -> bytes:
    """What comes back for these bytes until the server closes, which it must."""
    address = urlsplit(serve(service))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_a_request_comes_as_it_was_sent_on_one_connection(connect):
    connection = connect(echo)
    for number in range(3):
        answer, body = ask(connection, "PUT", "/a%20b//../c+d?x=%2F&y", f"é{number}".encode(), {"X-One": "1"})
        seen = json.loads(body)
        assert (answer.status, answer.getheader("X-Ours")) == (200, "yes")
        assert answer.getheader("x-amzn-RequestId")
        assert (seen["path"], seen["query"]) == ("/a%20b//../c+d", "x=%2F&y")
        assert (seen["body"], seen["length"], seen["headers"]["x-one"]) == (f"é{number}", 3, "1")


def test_a_chunked_body_has_no_known_length(connect):
    connection = connect(lambda request: Response(status=200, body=request.stream.read() + b"."))
    connection.request("POST", "/", iter([b"one", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"onetwo."
    assert ask(connection, body=b"next")[1] == b"next."


def test_answers_are_streamed_as_they_come(connect):
    def service(request):
        def parts():
            yield b"first"
            time.sleep(0.3)
            yield b"second"

        return Response(status=200, body=parts())

    connection = connect(service)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"
    begun = time.monotonic()
    assert answer.read1(5) == b"first"
    assert time.monotonic() - begun < 0.25
    assert answer.read() == b"second"
    assert ask(connection)[1] == b"firstsecond"


def test_a_stream_that_breaks_is_seen_to_be_not_whole(connect, capsys):
    def service(request):
        def parts():
            yield b"first"
            raise ZeroDivisionError("in the middle")

        return Response(status=200, body=parts())

    with pytest.raises(http.client.IncompleteRead):
        ask(connect(service))
    assert "in the middle" in capsys.readouterr().err


def test_an_answer_shorter_than_promised_ends_the_connection(connect):
    headers = (("Content-Length", "10"),)
    connection = connect(lambda request: Response(status=200, body=iter([b"short"]), headers=headers))
    with pytest.raises(http.client.IncompleteRead):
        ask(connection)


def test_head_has_no_body_and_the_connection_goes_on(connect):
    connection = connect(echo)
    assert ask(connection, "HEAD")[1] == b""
    assert ask(connection)[0].status == 200


def test_a_body_that_nobody_reads_does_not_become_the_next_request(connect):
    connection = connect(lambda request: Response(status=403, body=b"no"))
    for _ in range(2):
        assert ask(connection, "PUT", body=b"x" * 1_000_000)[1] == b"no"


def test_errors_are_answers(connect, capsys):
    def service(request):
        errors = {"/busy": AwsError("Busy", "later", 503), "/full": DiskFull("no space")}
        raise errors.get(request.path, ZeroDivisionError("secret"))

    connection = connect(service)
    answer, body = ask(connection, path="/busy")
    assert (answer.status, json.loads(body)) == (503, {"__type": "Busy", "message": "later"})
    answer, body = ask(connection, path="/full")
    assert (answer.status, json.loads(body)) == (507, {"__type": "ServiceException", "message": "no space"})
    assert capsys.readouterr().err == ""
    answer, body = ask(connection)
    assert (answer.status, json.loads(body)["__type"]) == (500, "InternalFailure")
    assert b"secret" not in body
    assert "secret" in capsys.readouterr().err


def test_expect_100_continue_is_granted_at_once(serve):
    address = urlsplit(serve(echo))
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert b'"body": "ok"' in b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: many",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\n\r\nnonsense",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc",
        b"nonsense",
        b"X: " + b"x" * 70_000,
        b"\r\n".join(b"X%d: " % number + b"x" * 30_000 for number in range(3)),
        b"\r\n".join(b"X%d: 1" % number for number in range(200)),
    ],
)
def test_a_malformed_request_is_refused_and_ends_the_connection(serve, head):
    answer = raw(serve, b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))


def test_a_form_is_a_request_as_any_other(serve):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=abc\r\n"
    assert raw(serve, head + b"Connection: close\r\nContent-Length: 2\r\n\r\nab").startswith(b"HTTP/1.1 200 ")


def test_an_address_that_is_none_is_refused(serve, capsys):
    assert raw(serve, b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", [b"nonsense\r\n\r\n", b"GET " + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"\0\r\n"]
)
def test_what_is_not_http_is_refused(serve, text):
    assert b'"__type": "BadRequest"' in raw(serve, text)


def test_a_client_that_goes_away_stops_nothing(serve, capsys):
    url = serve(echo)
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    http_connection = http.client.HTTPConnection(address.hostname, address.port)
    assert ask(http_connection)[0].status == 200
    assert capsys.readouterr().err == ""


def test_a_silent_connection_is_ended(serve, monkeypatch):
    monkeypatch.setattr(servers._Handler, "timeout", 0.2)
    assert raw(serve, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n") == b""


def test_fifty_clients_at_once_are_all_answered():
    with serving(echo) as url, ThreadPoolExecutor(50) as pool:
        address = urlsplit(url)

        def client(number: int) -> bool:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
            answers = [json.loads(ask(connection, "POST", f"/{number}", b"x" * 1000)[1]) for _ in range(10)]
            connection.close()
            return all(answer["path"] == f"/{number}" for answer in answers)

        assert all(pool.map(client, range(50)))


def test_a_taken_port_is_told():
    with serving(echo) as url, pytest.raises(EndpointError, match="--port"):
        Server(urlsplit(url).port, echo)
