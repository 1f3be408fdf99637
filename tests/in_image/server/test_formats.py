"""Headers are read as HTTP means them; the default functions take and give only what is safe."""

from __future__ import annotations

import io
import json

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image.handler_errors import BadRequest, HandlerError, NotAcceptable, UnsupportedMediaType
from trainyard.in_image.server.formats import CSV, JSON, NPY, decode, encode, parse_accept, parse_content_type

GREEN = "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("", b"[1]", (JSON, "[1]")),
        ("Application/JSON; charset=utf-8", GREEN.encode(), (JSON, GREEN)),
        ('text/csv;header=present; charset="ISO-8859-1"', GREEN.encode("latin-1"), (CSV, GREEN)),
        ("application/x-npy", b"\xff", (NPY, b"\xff")),
        ("image/png", b"\xff", ("image/png", b"\xff")),
    ],
)
def test_content_types(header, body, expected):
    assert parse_content_type(header, body) == expected


def test_what_stands_beside_a_content_type_comes_with_it():
    media_type, _ = parse_content_type('Image/PNG; Score_Threshold="0.5"; flag; a=b=c', b"")
    assert media_type == "image/png"
    assert media_type.parameters == {"score_threshold": "0.5", "flag": "", "a": "b=c"}


@pytest.mark.parametrize("charset", ["klingon", "hex", "zip", "a\0b", "x" * 5000])
def test_an_unknown_charset_is_refused(charset):
    with pytest.raises(HandlerError) as error:
        parse_content_type(f"text/csv; charset={charset}", b"1")
    assert error.value.status_code in (400, 415)


def test_a_body_in_another_charset_is_refused():
    with pytest.raises(BadRequest, match="not utf-8 text"):
        parse_content_type(JSON, GREEN.encode("latin-1"))


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", [JSON]),
        ("*/*", [JSON]),
        ("text/csv", [CSV]),
        ("text/csv; header=present", [CSV]),
        ("text/html, Text/CSV;q=0.9, */*;q=0.1", ["text/html", CSV, JSON]),
        ("application/json;q=0.2,text/csv", [CSV, JSON]),
        ("text/csv;q=0, , application/x-npy", [NPY]),
    ],
)
def test_accept(header, wanted):
    assert parse_accept(header, JSON) == wanted


def test_a_quality_that_is_no_number_is_refused():
    with pytest.raises(BadRequest, match="q='high' is not a number"):
        parse_accept("text/csv;q=high", JSON)


def test_reading():
    assert decode('{"a": [1]}', JSON) == {"a": [1]}
    assert decode('1,2.5\n\nx,"y,z"\n', CSV) == [[1.0, 2.5], ["x", "y,z"]]
    assert decode("1\r2\r\n", CSV) == [[1.0], [2.0]]
    array = io.BytesIO()
    numpy.save(array, numpy.arange(6.0).reshape(2, 3))
    assert (decode(array.getvalue(), NPY) == numpy.arange(6.0).reshape(2, 3)).all()


def pickled() -> bytes:
    array = io.BytesIO()
    numpy.save(array, numpy.array([{"an": "object"}]), allow_pickle=True)
    return array.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", JSON),
        ("[" * 100_000, JSON),
        (b"", NPY),
        (b"nothing", NPY),
        (pickled(), NPY),
        (b"PK\x03\x04", NPY),
    ],
)
def test_malformed_bodies_are_refused(body, content_type):
    with pytest.raises(BadRequest, match="the body is not"):
        decode(body, content_type)


def test_a_header_that_promises_more_than_there_is():
    array = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        array, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    )
    with pytest.raises(BadRequest):
        decode(array.getvalue() + bytes(80), NPY)


@given(st.text(max_size=40), st.sampled_from([JSON, CSV]))
def test_any_text_is_read_or_refused(text, content_type):
    try:
        decode(text, content_type)
    except HandlerError as error:
        assert error.status_code == 400


def test_writing():
    array = numpy.array([[1.5, 2.0]])
    assert json.loads(encode({"mean": array[0], "n": numpy.int64(2)}, JSON)) == {"mean": [1.5, 2.0], "n": 2}
    assert encode(array, CSV) == b"1.5,2.0\n"
    assert encode([1, 2], CSV) == b"1\n2\n"
    assert encode("x", CSV) == b"x\n"
    assert (numpy.load(io.BytesIO(encode([[1, 2]], NPY))) == [[1, 2]]).all()


def test_what_cannot_be_written_is_an_error_and_not_bad_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode([float("nan")], JSON)
    with pytest.raises(TypeError, match="a set has no place in JSON; write an output_fn"):
        encode({1}, JSON)
    with pytest.raises(ValueError, match="allow_pickle"):
        encode([object()], NPY)


def test_other_types():
    with pytest.raises(UnsupportedMediaType, match="'image/png' cannot be read; use application/json"):
        decode(b"", "image/png")
    with pytest.raises(NotAcceptable, match="no answer as 'image/png'; there are application/json"):
        encode([], "image/png")
