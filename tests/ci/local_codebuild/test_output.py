from __future__ import annotations

import io
import itertools
import os
import subprocess
import time

from hypothesis import given
from hypothesis import strategies as st

from ci.local_codebuild.output import Mask, Output

LETTERS = st.text(alphabet="abc", max_size=6)


@given(st.lists(LETTERS, max_size=4), LETTERS, LETTERS, st.lists(st.integers(0, 20), max_size=5))
def test_secrets_are_hidden_wherever_the_stream_is_cut(secrets, before, after, cuts):
    text = before + "".join(secrets) + after
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    mask = Mask(secrets)
    pieces = [text[a:b].encode() for a, b in itertools.pairwise(edges)]
    streamed = b"".join(map(mask.feed, pieces)) + mask.end()
    assert streamed.decode() == Mask(secrets).whole(text)
    assert not any(secret in streamed.decode() for secret in secrets if secret)


def test_the_longer_of_two_secrets_is_hidden_whole():
    mask = Mask(["abc", "abcdef"])
    assert mask.feed(b"x abc") + mask.feed(b"def y") + mask.end() == b"x *** y"


def test_a_secret_of_several_lines_is_hidden_by_line_too():
    mask = Mask(["-----BEGIN\nkey\nä-line\n}"])
    assert mask.whole("x -----BEGIN x ä-line } key") == "x *** x *** } key"


def test_nothing_is_hidden_where_there_are_no_secrets():
    mask = Mask([""])
    assert mask.feed(b"plain ") + mask.feed(b"text") + mask.end() == b"plain text"


def test_lines_keep_their_order_and_what_is_left_running_is_not_waited_for(tmp_path):
    stream = io.BytesIO()
    output = Output(stream, tmp_path / "log", Mask(["secret"]))
    output.say("first secret")
    left = subprocess.Popen(["sh", "-c", "echo second; exec sleep 60"], stdout=output.fd)
    while b"second" not in stream.getvalue():
        time.sleep(0.01)
    output.say("third")
    begin = time.monotonic()
    output.close()
    assert time.monotonic() - begin < 5
    left.kill()
    left.wait()
    expected = b"[codebuild] first ***\nsecond\n[codebuild] third\n"
    assert stream.getvalue() == (tmp_path / "log").read_bytes() == expected


def test_a_reader_that_went_away_does_not_stop_the_build(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        output = Output(stream, tmp_path / "log", Mask([]))
        for i in range(2000):
            output.say(f"line {i:050}")
        output.close()
    assert (tmp_path / "log").read_text().endswith("line " + f"{1999:050}\n")
