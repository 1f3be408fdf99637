from __future__ import annotations

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.execution.pipes import record
from trainyard.execution.s3 import parse_uri

READS_TWICE = """
import hashlib, pathlib
for epoch in range(2):
    with open(f"/opt/ml/input/data/train_{epoch}", "rb") as pipe:
        content = pipe.read()
    print("epoch", epoch, len(content), hashlib.sha256(content).hexdigest()[:8], flush=True)
    pathlib.Path(f"/opt/ml/model/epoch_{epoch}").write_bytes(content)
assert not pathlib.Path("/opt/ml/input/data/train").exists()
"""


@pytest.fixture
def piped(store, make_executor, put_script, training, definition):
    """Run a script on a Pipe channel of two objects; the stored model's files by name."""

    def run(script: str, contents: tuple[bytes, ...], **channel):
        for index, content in enumerate(contents):
            store.objects.put_bytes(content, parse_uri(f"s3://bucket/in/{index}"))
        step = training("Fit", put_script("fit", script), inputs={"train": "s3://bucket/in/"})
        step["Arguments"]["InputDataConfig"][1] |= {"InputMode": "Pipe", **channel}
        step["Arguments"]["OutputDataConfig"]["CompressionType"] = "NONE"
        finished = make_executor().start(definition(step), "p", {})
        files = store.objects.list(parse_uri("s3://bucket/out/"))
        return finished, {item.path.name: item.path.read_bytes() for item in files}

    return run


def test_each_epoch_reads_all_objects_in_order_through_a_pipe_of_its_own(piped) -> None:
    contents = (b"a" * 300_000, b"b" * 5)
    finished, files = piped(READS_TWICE, contents)
    assert (finished.status, finished.reason) == ("Succeeded", "")
    assert files == {"epoch_0": b"".join(contents), "epoch_1": b"".join(contents)}


def test_compressed_objects_arrive_plain_and_wrapped_ones_as_records(piped) -> None:
    contents = tuple(gzip.compress(text) for text in (b"one", b"three"))
    finished, files = piped(READS_TWICE, contents, CompressionType="Gzip", RecordWrapperType="RecordIO")
    assert finished.reason == ""
    assert files["epoch_0"] == record(b"one") + record(b"three")


def test_a_reader_that_leaves_early_and_a_pipe_that_nobody_reads_end_with_the_job(piped) -> None:
    finished, _ = piped('open("/opt/ml/input/data/train_0", "rb").read(10)', (b"x" * 5_000_000, b""))
    assert finished.status == "Succeeded"
    finished, _ = piped("print('reads nothing')", (b"x", b"y"))
    assert finished.status == "Succeeded"


def test_only_pipes_take_compressed_channels(store, make_executor, training, definition) -> None:
    from trainyard.errors import DefinitionError

    step = training("Fit", "s3://bucket/code/")
    step["Arguments"]["InputDataConfig"][0]["CompressionType"] = "Gzip"
    with pytest.raises(DefinitionError, match="only the InputMode Pipe has"):
        make_executor().start(definition(step), "p", {})


@given(st.binary(max_size=100))
def test_a_record_says_its_length_and_ends_on_four_bytes(content: bytes) -> None:
    made = record(content)
    magic, length = struct.unpack("<II", made[:8])
    assert (hex(magic), length, len(made) % 4) == ("0xced7230a", len(content), 0)
    assert made[8 : 8 + length] == content
