"""Captured data in the layout that Model Monitor reads."""

from __future__ import annotations

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import wait_until
from trainyard.errors import StoreError
from trainyard.execution.capture import Capture
from trainyard.execution.container import Invocation, Reply
from trainyard.execution.s3 import parse_uri

HEADERS = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}


def config(percentage: int = 100, modes: tuple[str, ...] = ("Input", "Output"), **more) -> dict:
    options = [{"CaptureMode": mode} for mode in modes]
    destination = "s3://bucket/captured"
    return {
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": destination,
        "CaptureOptions": options,
        **more,
    }


def take(capture: Capture, body: bytes = b"1,2", kind: str = "text/csv; charset=utf-8", **more: str) -> None:
    reply = Reply(status=200, body=b'{"y": 3}', content_type="application/json")
    capture.take("v", Invocation(body=body, content_type=kind), reply, **more)


def captured(store) -> list[dict]:
    objects = store.objects.list(parse_uri("s3://bucket/captured/"))
    return [json.loads(line) for each in objects for line in each.path.read_text().splitlines()]


def test_a_line_and_its_place(store):
    capture = Capture(store.objects, config(CaptureContentTypeHeader=HEADERS), "e")
    take(capture, inference_id="mine")
    take(capture)
    capture.close()
    (written,) = store.objects.list(parse_uri("s3://bucket/captured/"))
    place = r"captured/e/v/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
    assert re.fullmatch(place, written.uri.key)
    line, other = captured(store)
    assert line["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "INPUT",
            "data": "1,2",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "application/json",
            "mode": "OUTPUT",
            "data": '{"y": 3}',
            "encoding": "JSON",
        },
    }
    assert line["eventVersion"] == "0"
    assert line["eventMetadata"]["inferenceId"] == "mine"
    assert "inferenceId" not in other["eventMetadata"]
    assert line["eventMetadata"]["eventId"] != other["eventMetadata"]["eventId"]
    hour = written.uri.key.split("/")[3:7]
    assert line["eventMetadata"]["inferenceTime"].startswith("{}-{}-{}T{}:".format(*hour))


@pytest.mark.parametrize(("body", "kind"), [(b"1,2", "text/plain"), (b"\xff", "text/csv"), (b"", "")])
def test_what_is_no_text_is_base64(store, body, kind):
    capture = Capture(store.objects, config(CaptureContentTypeHeader=HEADERS), "e")
    take(capture, body, kind)
    capture.close()
    side = captured(store)[0]["captureData"]["endpointInput"]
    assert (side["encoding"], base64.b64decode(side["data"])) == ("BASE64", body)


@pytest.mark.parametrize(
    ("modes", "sides"),
    [(("Input",), {"endpointInput"}), (("Output",), {"endpointOutput"}),
     (("InputAndOutput",), {"endpointInput", "endpointOutput"})],
)  # fmt: skip
def test_sides(store, modes, sides):
    capture = Capture(store.objects, config(modes=modes), "e")
    take(capture)
    capture.close()
    assert set(captured(store)[0]["captureData"]) == sides


def test_the_sample_has_the_percentage(store):
    capture = Capture(store.objects, config(25), "e")
    for _ in range(800):
        take(capture)
    capture.close()
    assert 139 < len(captured(store)) < 261  # 200 expected, standard deviation 12.2
    none = Capture(store.objects, config(0), "none")
    take(none)
    none.close()
    assert store.objects.list(parse_uri("s3://bucket/captured/none/")) == []


def test_readers_see_whole_lines_while_many_write(store):
    capture = Capture(store.objects, config(), "e")
    broken, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            for each in store.objects.list(parse_uri("s3://bucket/captured/")):
                text = each.path.read_text()
                broken.extend([text[-50:]] if text and not text.endswith("\n") else [])

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: take(capture, b"x" * 5000), range(900)))
    capture.close()
    stop.set()
    reader.join()
    assert len(captured(store)) == 900
    assert 2 <= len(store.objects.list(parse_uri("s3://bucket/captured/"))) <= 9  # of 500 records at most
    assert not broken


def test_a_destination_that_is_none(store, capsys):
    with pytest.raises(StoreError, match="is not an S3 URI"):
        Capture(store.objects, config(DestinationS3Uri="here"), "e")
    store.objects.put_bytes(b"x", parse_uri("s3://bucket/captured"))  # a file, where folders would have to be
    capture = Capture(store.objects, config(), "e")
    take(capture)
    capture.close()
    assert "captured data cannot be written: s3://bucket/captured/e/v/" in capsys.readouterr().err


def test_what_is_gathered_is_written_without_more_coming(store):
    capture = Capture(store.objects, config(), "e")
    take(capture)
    wait_until(lambda: len(captured(store)) == 1)
    take(capture)
    capture.close()
    assert len(captured(store)) == 2
