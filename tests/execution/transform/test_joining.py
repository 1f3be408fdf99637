from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trainyard.errors import DataError
from trainyard.execution.transform.joining import Joining, format_of, read, write
from trainyard.execution.transform.jsonpath import parse
from trainyard.execution.transform.splitting import Record

CELLS = some.text(some.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]))
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(some.characters(exclude_categories=["Cs"])),
    lambda inner: (
        some.lists(inner) | some.dictionaries(some.text(some.characters(exclude_categories=["Cs"])), inner)
    ),
)


def joining(kind="json", *, given_="$", output="$", join=True, stamp="") -> Joining:
    return Joining(
        input_filter=parse(given_),
        output_filter=parse(output),
        join=join,
        takes=kind,
        gives=kind,
        stamp=stamp,
    )


@given(
    some.lists(
        some.lists(CELLS, min_size=1).filter(lambda row: row[0] != "" and not row[0].startswith("\ufeff"))
    )
)
def test_rows_are_read_as_they_were_written(rows) -> None:
    assert read(write(rows, "csv"), "csv") == rows


@given(some.lists(VALUES))
def test_values_are_read_as_they_were_written(values) -> None:
    assert read(write(values, "json"), "json") == values


def test_objects_get_the_answer_and_others_become_objects() -> None:
    assert joining().output([b'{"key":1}'], b'{"label": 1}') == b'{"key":1,"SageMakerOutput":{"label":1}}'
    assert joining().output([b"[1, 2]"], b"3") == b'{"SageMakerInput":[1,2],"SageMakerOutput":3}'
    assert (
        joining().output([b"1", b"2"], b"[3, 4]").splitlines()[1]
        == b'{"SageMakerInput":2,"SageMakerOutput":4}'
    )


def test_rows_get_the_answer_at_their_end() -> None:
    assert joining("csv").output([b"1,2,3"], b"1") == b"1,2,3,1"
    assert joining("csv", output="$[0,-1]").output([b'"a,b",2', b"c,4"], b"x\ny\n") == b'"a,b",x\nc,y'


def test_requests_are_filtered_and_originals_kept() -> None:
    line = b'{"id": 1, "features": [1.5, "\xc3\xa9"]}'
    [(original, sent)] = joining(given_="$.features").requests([Record(line, line + b"\n")])
    assert (original, sent) == (line, Record(b'[1.5,"\xc3\xa9"]', b'[1.5,"\xc3\xa9"]\n'))
    with pytest.raises(DataError, match=r"record 1: InputFilter: .* there is no 'x'"):
        list(joining(given_="$.x").requests([Record(line, line)]))


def test_each_record_of_the_output_is_stamped() -> None:
    row = joining("csv", join=False, stamp="2022-08-30T00:49:15Z").output([b"x"], b"0").decode().split(",")
    assert (row[0], len(row[1]), row[2]) == ("0", 36, "2022-08-30T00:49:15Z")
    value = json.loads(joining(join=False, stamp="now").output([b"1"], b"5"))
    assert (value["SageMakerOutput"], value["SageMakerInferenceTime"]) == (5, "now")


def test_without_a_wish_answers_stay_as_they_are() -> None:
    assert joining("other", join=False).output([b"x"], b"\xff any") == b"\xff any"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"1", "the answer has 1 records for 2"),
        (b"{", "not JSON: '{'"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_answers_that_do_not_fit_are_refused(answer, message) -> None:
    with pytest.raises(DataError, match=message):
        joining().output([b"1", b"2"], answer)


def test_formats_are_told_by_type() -> None:
    types = ("text/csv; charset=utf-8", "application/json", "application/jsonlines", "", "image/png")
    assert [format_of(type_) for type_ in types] == ["csv", "json", "json", "other", "other"]
