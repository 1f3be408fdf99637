"""Requests become tables, and every wrong one is refused with its place: no traceback, no pickle."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from trainyard.in_image.handler_errors import HandlerError

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


NAMED = np.array(
    [("u1", "2026-01-31", 1.5), ("7", "2026-02-01", 2)],
    [("user", "S3"), ("day", "datetime64[ns]"), ("a", ">f4")],
)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("user,day,a\nu1,2026-01-31,1.5\n7,2026-02-01,2\n", CSV),
        ('user, day ,a\r\n"u1",2026-01-31,1.5\r\n\r\n7,2026-02-01,2', CSV),
        (
            '{"rows": [["u1", "2026-01-31", 1.5], [7, "2026-02-01", 2]], "columns": ["user", "day", "a"]}',
            JSON,
        ),
        ('[{"user": "u1", "day": "2026-01-31", "a": 1.5}, {"a": 2, "day": "2026-02-01", "user": 7}]', JSON),
        (npy(NAMED), NPY),
    ],
)
def test_names(module, body, kind):
    table = module("request_tables").parse(body, kind)
    assert table.names == ("user", "day", "a")
    assert table.texts("user") == ["u1", "7"] and table.texts("day") == ["2026-01-31", "2026-02-01"]
    assert table.numbers(["a"]).tolist() == [[1.5], [2.0]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1,2.5\n-3e1, 4\n", CSV),
        ("[[1, 2.5], [-30, 4]]", JSON),
        (npy(np.array([[1, 2.5], [-30, 4]], np.float32)), NPY),
    ],
)
def test_without_names(module, body, kind):
    table = module("request_tables").parse(body, kind)
    assert table.names == () and table.numbers().tolist() == [[1, 2.5], [-30, 4]]


def test_one_row_without_a_header_is_a_row(module):
    assert module("request_tables").parse("1,2", CSV).numbers().tolist() == [[1, 2]]


def test_columns_come_in_the_order_asked_for(module):
    table = module("request_tables").parse("a,b\n1,2\n3,4", CSV)
    assert table.numbers(["b", "a"]).tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        ("x", "text/plain", 415, "content type 'text/plain' cannot be read; send application/json, text/csv"),
        ("x", "application/x-pickle", 415, "cannot be read"),
        ("", CSV, 400, "there are no rows"),
        ("a,b\n", CSV, 400, "there are no rows"),
        ("a,a\n1,2\n", CSV, 400, "there are two columns 'a'"),
        ("a,b\n1,2\n1\n", CSV, 400, "row 3 has 1 values instead of 2"),
        ("1,2\n1,2,3\n", CSV, 400, "row 2 has 3 values instead of 2"),
        ("[[1, 2], ", JSON, 400, "the body is not JSON"),
        ("[" * 100_000, JSON, 400, "the body is not JSON"),
        ("7", JSON, 400, "the body must be rows"),
        ("[]", JSON, 400, "there are no rows"),
        ("[[]]", JSON, 400, "there are no rows"),
        ("[1, 2]", JSON, 400, "the body must be rows"),
        ('[{"a": 1}, [1]]', JSON, 400, "the body must be rows"),
        ('[{"a": 1}, {"b": 1}]', JSON, 400, "row 2 has other columns than the first: b"),
        ('{"rows": [[1]]}', JSON, 400, "the body must be rows"),
        ('{"rows": [[1]], "columns": []}', JSON, 400, "columns must be a list of names"),
        ('{"rows": [[1]], "columns": [7]}', JSON, 400, "columns must be a list of names"),
        ('{"rows": [[1, 2]], "columns": ["a"]}', JSON, 400, "row 1 has 2 values instead of 1"),
        (b"half", NPY, 400, "the body is not a plain .npy array"),
        (npy(np.array([[object()]], object)), NPY, 400, "the body is not a plain .npy array"),
        (npy(np.zeros((2, 2), [("a", "f4"), ("b", "O")])), NPY, 400, "the body is not a plain .npy array"),
        (npy(np.zeros(3)), NPY, 400, "the array has shape (3,)"),
        (npy(np.zeros((1, 3), [("a", "f4")])), NPY, 400, "the array has shape (1, 3)"),
        (npy(np.zeros((0, 3))), NPY, 400, "there are no rows"),
    ],
)  # fmt: skip
def test_what_is_no_table(module, body, kind, status, message):
    with pytest.raises(HandlerError) as told:
        module("request_tables").parse(body, kind)
    assert told.value.status_code == status and message in str(told.value)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("a\n1\nx\n", CSV, "row 2, column a: 'x' is no number"),
        ("1\nx\n", CSV, "row 2, column 1: 'x' is no number"),
        ("a,b\n1,2\n,2\n", CSV, "row 2, column a: '' is no number"),
        ("a\n1\nNaN\n", CSV, "row 2, column a: nan is not possible"),
        ("a\ninf\n", CSV, "inf is not possible"),
        ("a\n1e31\n", CSV, "1e+31 is not possible"),
        ('[["1"]]', JSON, "row 1, column 1: '1' is no number"),
        ("[[1], [null]]", JSON, "row 2, column 1: 'None' is no number"),
        ("[[1], [[2]]]", JSON, "row 2, column 1: '[2]' is no number"),
        ("[[[2]], [[2]]]", JSON, "row 1, column 1: '[2]' is no number"),
        ("[[true], [false]]", JSON, "row 1, column 1: 'True' is no number"),
        (json.dumps([[1], [10**30]]), JSON, "is no number"),
        ("[[NaN]]", JSON, "nan is not possible"),
        (npy(np.array([["1"]])), NPY, "'1' is no number"),
        (npy(np.array([[1j]])), NPY, "'1j' is no number"),
        (npy(np.array([[np.inf]])), NPY, "inf is not possible"),
    ],
)
def test_what_is_no_number(module, body, kind, message):
    table = module("request_tables").parse(body, kind)
    with pytest.raises(HandlerError) as told:
        table.numbers(table.names)
    assert told.value.status_code == 400 and message in str(told.value)


@pytest.mark.parametrize("body", ["user,a\nu,1\n ,2\n", '[{"user": "u"}, {"user": null}]'])
def test_nobody(module, body):
    table = module("request_tables").parse(body, CSV if body[0] == "u" else JSON)
    with pytest.raises(HandlerError, match="row 2: user is missing"):
        table.texts("user")
