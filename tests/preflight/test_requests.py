from __future__ import annotations

import pytest

from trainyard.execution.container import Reply
from trainyard.preflight.requests import difference, refusal_fault


@pytest.mark.parametrize(
    ("answer", "expected", "where"),
    [
        (b'{"a": [1.0, 2]}', b'{"a": [1.04, 2]}', ""),
        (b'{"a": [1.0, 2]}', b'{"a": [1.06, 2]}', "the answer.a[0] is 1.0"),
        (b'{"a": 1}', b'{"a": 1.0}', ""),
        (b'{"a": 1}', b'{"a": 2}', "the answer.a is 1 instead of 2"),
        (b'{"a": "1"}', b'{"a": 1.0}', "the answer.a is '1'"),
        (b'{"b": 1}', b'{"a": 1}', "['b'] instead of ['a']"),
        (b"[1]", b'{"a": 1}', "the answer has [1]"),
        (b"[1]", b"[1, 2]", "instead of a list of 2"),
        (b"x", b"[1]", "not JSON"),
        (b"a,b\n", b"a,b\n", ""),
        (b"a,c\n", b"a,b\n", "instead of"),
        (b"true", b"true", ""),
    ],
)
def test_where_an_answer_differs(answer, expected, where):
    found = difference(answer, expected)
    assert where in found and bool(where) == bool(found)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, b'{"message": "no"}', ""),
        (500, b'{"message": "no"}', "status 500 instead of 400"),
        (400, b"no", "not JSON"),
        (400, b'"no"', "not JSON"),
        (400, b'{"message": ""}', "not JSON of the form"),
        (400, b'{"message": 1}', "not JSON of the form"),
        (400, b'{"message": "Traceback (most recent call last)"}', "traceback"),
    ],
)
def test_what_is_no_proper_refusal(status, body, fault):
    found = refusal_fault(Reply(status=status, body=body), (400,))
    assert fault in found and bool(fault) == bool(found)
