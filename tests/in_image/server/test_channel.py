"""Questions find their answers, whatever comes between and in whatever order."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.server.channel import ALIVE, Channel, encode
from trainyard.in_image.server.directory import Message


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def test_many_threads_ask_and_each_has_its_answer(ends):
    channel, other = ends
    told, count = [], 50
    channel.listen(told.append, lambda: None)

    def answer() -> None:
        lines = other.makefile("rb")
        asked = [json.loads(lines.readline()) for _ in range(count)]
        for question in reversed(asked):
            refused = int(question["name"]) % 2
            status = {"status": 409, "message": f"no {question['name']}"} if refused else {"status": 200}
            other.sendall(encode({"tell": "add", "name": "x"}) + encode({"id": question["id"]} | status))

    def ask(number: int) -> str:
        try:
            channel.ask("reserve", str(number))
        except Refused as error:
            return f"{error.status_code} {error}"
        return "200"

    thread = threading.Thread(target=answer)
    thread.start()
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(ask, range(count)))
    thread.join()
    assert answers == [f"409 no {number}" if number % 2 else "200" for number in range(count)]
    assert told == [{"tell": "add", "name": "x"}] * count


def test_the_end_of_the_other_process_is_noticed(ends):
    channel, other = ends
    gone = threading.Event()
    channel.listen(None, gone.set)
    other.close()
    assert gone.wait(10)
    channel.send({"did": 1})  # nobody reads it, and that is no failure


def test_a_channel_that_cannot_go_on_says_so(ends):
    channel, other = ends
    gone, told = threading.Event(), []

    def fails(message: Message) -> None:
        told.append(message)
        raise MemoryError

    threading.excepthook, hook = lambda arguments: None, threading.excepthook
    try:
        channel.listen(fails, gone.set)
        other.sendall(encode(ALIVE) + encode({"tell": "add", "name": "x"}))
        assert gone.wait(10) and told == [{"tell": "add", "name": "x"}]
        assert json.loads(other.recv(100)) == ALIVE
    finally:
        threading.excepthook = hook


def test_who_waits_for_an_answer_is_told_that_none_will_come(ends):
    channel, other = ends
    channel.listen(None, lambda: None)
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(channel.ask, "reserve", "a")
        assert other.recv(1000)
        other.close()
        with pytest.raises(Refused, match="the server is ending") as refused:
            asking.result(10)
    assert refused.value.status_code == 503
