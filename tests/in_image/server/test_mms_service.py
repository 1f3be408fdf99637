"""Requests as multi-model-server hands them on, and answers as it takes them."""

from __future__ import annotations

import json

import pytest

HANDLER = """
from trainyard.in_image.handler_errors import HandlerError

class Busy(HandlerError):
    status_code = 429

class Odd(HandlerError):
    status_code = 499

def model_fn(model_dir):
    return 7

def input_fn(body, content_type):
    return [content_type, body if isinstance(body, str) else list(body)]

def predict_fn(data, model):
    if data[1] == "busy":
        raise Busy("too much\\nat once")
    if data[1] == "odd":
        raise Odd("an odd one")
    if data[1] == "bytes":
        return bytes(range(256))
    return data

def output_fn(prediction, accept):
    if isinstance(prediction, bytes):
        return prediction, "application/octet-stream"
    import json
    return json.dumps([*prediction, accept])
"""


@pytest.fixture(scope="module")
def server(start_mms):
    return start_mms(HANDLER, {"model": "1"}, SAGEMAKER_MODEL_SERVER_WORKERS="1").wait()


@pytest.mark.parametrize(
    ("body", "headers", "answer"),
    [
        ("é", {"Content_Type": "text/plain"}, ["text/plain", "é", "application/json"]),
        (
            "é".encode("latin-1"),
            {"content_type": "text/plain; charset=latin-1"},
            ["text/plain", "é", "application/json"],
        ),
        ("1", {}, ["application/json", "1", "application/json"]),
        ("", {}, ["application/json", "", "application/json"]),
        (b"\x00\xff", {"CONTENT_TYPE": "image/png"}, ["image/png", [0, 255], "application/json"]),
        ("1", {"accept": "text/csv, */*;q=0.1"}, ["application/json", "1", "text/csv"]),
    ],
)
def test_bodies_and_headers_arrive_as_they_were_sent(server, body, headers, answer):
    body = body.encode() if isinstance(body, str) else body
    status, got, _ = server.ask("POST", "/invocations?a=b&body=c", body, **headers)
    assert (status, json.loads(got)) == (200, answer)


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        ("busy", {}, 429, "too much\nat once"),
        ("odd", {}, 499, "an odd one"),
        (b"\xff", {"Content_Type": "text/plain"}, 400, "the body is not utf-8 text"),
        ("a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "cannot be read by this server"),
    ],
)
def test_refusals_have_the_status_of_the_handler_and_its_words(server, body, headers, status, message):
    answered, got, sent = server.ask("POST", "/invocations", body, **headers)
    assert (answered, json.loads(got)["code"], sent["Content-Type"]) == (status, status, "application/json")
    assert message in json.loads(got)["message"]


def test_bytes_are_answered_as_they_are(server):
    status, body, headers = server.ask("POST", "/invocations", "bytes")
    assert (status, body, headers["Content-Type"]) == (200, bytes(range(256)), "application/octet-stream")
