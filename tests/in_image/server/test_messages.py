"""Requests are read from ASGI in whatever pieces they come; paths are split before they are decoded."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.server.messages import Answer, Disconnected, Request, read_body, write


def scope(path: bytes, query: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()):
    return {"method": "GET", "raw_path": path, "path": "", "query_string": query, "headers": headers}


def read(*messages, limit=10):
    pending = list(messages)

    async def receive():
        return pending.pop(0)

    return asyncio.run(read_body(scope(b"/"), receive, limit)), pending


def chunk(body: bytes, more: bool = True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_path_is_split_and_then_decoded():
    request = Request.of(scope(b"/models/a%2Fb%252F%C3%A4/invoke", b"limit=2&next_page_token=a%20b"), b"body")
    assert request.path == ("models", "a/b%2F\N{LATIN SMALL LETTER A WITH DIAERESIS}", "invoke")
    assert request.query == {"limit": "2", "next_page_token": "a b"}
    assert (request.method, request.body) == ("GET", b"body")


def test_headers_are_found_whatever_their_case():
    assert Request.of(scope(b"/", headers=((b"X-Y", b"\xe4"),)), b"").headers == {"x-y": "\xe4"}


@given(st.binary(max_size=30))
def test_any_path_is_read_or_refused(path):
    try:
        assert Request.of(scope(b"/" + path), b"").path
    except Refused as error:
        assert error.status_code == 400


def test_a_body_in_pieces():
    assert read(chunk(b"ab"), chunk(b""), chunk(b"c", more=False))[0] == b"abc"
    assert read({"type": "http.request"})[0] == b""


def test_a_body_that_is_too_long_is_read_to_its_end_but_not_kept():
    with pytest.raises(Refused, match="more than 10 bytes") as error:
        read(*[chunk(b"x" * 6)] * 5, chunk(b"", more=False))
    assert error.value.status_code == 413


def test_a_body_without_end_is_not_read_for_ever():
    with pytest.raises(Refused):
        read(*[chunk(b"x" * 50)] * 3)  # a fourth receive would find no message


def test_a_sender_that_falls_silent(monkeypatch):
    monkeypatch.setattr("trainyard.in_image.server.messages._SILENCE", 0.05)

    async def receive():
        await asyncio.sleep(10)

    with pytest.raises(Refused, match="no more of the body") as error:
        asyncio.run(read_body({}, receive, 10))
    assert error.value.status_code == 408


def test_a_client_that_goes_away():
    with pytest.raises(Disconnected):
        read(chunk(b"x"), {"type": "http.disconnect"})


def test_answers():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(write(send, Answer(200, b"1\n", "text/csv", (("x-a", "b"),))))
    start, body = sent
    assert start["status"] == 200
    assert dict(start["headers"]) == {b"content-type": b"text/csv", b"content-length": b"2", b"x-a": b"b"}
    assert body["body"] == b"1\n"
    assert json.loads(Answer.error(404, "no 'x'").body) == {"code": 404, "message": "no 'x'"}
