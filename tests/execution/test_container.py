"""What is sent to a container and what comes back; here a small HTTP server stands for one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trainyard.execution.container import Invocation, Reply, message_of, open_stream, send
from trainyard.execution.model_data import ModelError


class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path == "/slow":
            threading.Event().wait(1)
        answers = {"/rude": lambda: None, "/parts": self.send_parts, "/short": self.send_half}
        answers.get(self.path, self.send_all)()

    def send_half(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"half")

    def send_all(self):
        self.send_response(418)
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "b=2")
        self.end_headers()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        names = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")
        self.wfile.write(repr([self.path, body, *(self.headers[name] for name in names)]).encode())

    def send_parts(self):
        self.send_response(200)
        self.end_headers()
        for part in (b"one", b"two"):
            self.wfile.write(part)
            self.wfile.flush()
            threading.Event().wait(0.1)

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    """Ends with its last request, and says nothing of clients that gave up."""

    daemon_threads = False

    def handle_error(self, *_):
        pass


class Standing:
    def __init__(self, url: str, why: str = "") -> None:
        self.url, self._why = url, why

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def ended(self) -> str:
        return self._why


@pytest.fixture
def url():
    server = Quiet(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_headers_go_and_come_back(url):
    request = Invocation(body=b"x", content_type="text/csv", accept="a/b", custom_attributes="a=1")
    reply = send(Standing(url), "POST", "/path", request)
    assert (reply.status, reply.content_type, reply.custom_attributes) == (418, "text/plain", "b=2")
    assert reply.body == b"['/path', b'x', 'text/csv', 'a/b', 'a=1']"


def test_headers_that_were_not_given_are_not_made_up(url):
    assert send(Standing(url), "POST", "/", Invocation(body=b"")).body == b"['/', b'', None, None, None]"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [("/slow", 504, "did not answer within 0.2 s"), ("/rude", 503, "does not answer: ")],
)
def test_a_container_that_does_not_answer(url, path, status, message):
    with pytest.raises(ModelError, match=message) as error:
        send(Standing(url), "POST", path, Invocation(body=b""), timeout=0.2)
    assert error.value.status == status


def test_a_container_that_has_ended_says_why(url):
    with pytest.raises(ModelError, match="does not answer: exit code 1: no memory") as error:
        send(Standing("http://127.0.0.1:1", "exit code 1: no memory"), "GET", "/ping")
    assert error.value.status == 503


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"code": 400, "message": "why"}', "why"),
        (b" plain \xff text\n", "plain \N{REPLACEMENT CHARACTER} text"),
        (b'["message"]', '["message"]'),
        (b"", ""),
    ],
)
def test_the_message_of_a_refusal(body, message):
    assert message_of(Reply(status=400, body=body)) == message


def test_a_stream_is_read_as_it_comes(url):
    streamed = open_stream(Standing(url), "POST", "/parts", Invocation(body=b"x"))
    assert streamed.status == 200
    assert list(streamed.parts) == [b"one", b"two"]


@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_breaks_off_is_none(url, whole):
    with pytest.raises(ModelError, match="the container does not answer: exit code 1") as error:
        if whole:
            send(Standing(url, "exit code 1"), "POST", "/short", Invocation(body=b"x"))
        else:
            list(open_stream(Standing(url, "exit code 1"), "POST", "/short", Invocation(body=b"x")).parts)
    assert error.value.status == 503
