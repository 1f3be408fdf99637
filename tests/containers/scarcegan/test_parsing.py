"""Columns become users, days and numbers; what cannot be understood is refused with its row."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest


def chunked(values, kind=None):
    """A column in two pieces, as large files have them."""
    half = len(values) // 2
    return pa.chunked_array([pa.array(part, kind) for part in (values[:half], values[half:])], kind)


@pytest.mark.parametrize(
    ("values", "kind", "names", "codes"),
    [
        (["a", "b", "a", " "], pa.string(), ["a", "b"], [0, 1, 0, -1]),
        (["b", None, "c", "b"], pa.dictionary(pa.int32(), pa.string()), ["b", "c"], [0, -1, 1, 0]),
        ([7, 7, 12, None], pa.int64(), ["7", "12"], [0, 0, 1, -1]),
        ([7.0, None, 1e10, 7.0], pa.float64(), ["7", "10000000000"], [0, -1, 1, 0]),
        (["NA", "nan", "1.0", "1"], pa.string(), ["NA", "nan", "1.0", "1"], [0, 1, 2, 3]),
    ],
)
def test_users(module, values, kind, names, codes):
    known = {}
    assert module("parsing").codes(chunked(values, kind), known).tolist() == codes
    assert list(known) == names


def test_users_go_on_from_input_to_input(module):
    parsing, known = module("parsing"), {}
    parsing.codes(chunked(["a", "b"]), known)
    assert parsing.codes(chunked(["c", "a"]), known).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("values", "kind", "days", "written"),
    [
        (["2026-01-31", "2026-02-01"], None, [0, 1], "dates"),
        (["2026-01-31T23:59:59Z", "2026-02-01 00:00+09:00"], None, [0, 1], "dates"),
        (["20260131", "20260201"], None, [0, 1], "dates"),
        ([20260131, 20260201], pa.int64(), [0, 1], "dates"),
        ([datetime.date(2026, 1, 31), datetime.date(2026, 2, 1)], pa.date32(), [0, 1], "dates"),
        (
            [datetime.datetime(2026, 1, 31, 23), datetime.datetime(2026, 2, 1)],
            pa.timestamp("ns"),
            [0, 1],
            "dates",
        ),
        (["-3", "4"], None, [0, 7], "numbers"),
        ([3.0, 4.0], pa.float64(), [0, 1], "numbers"),
        ([], pa.string(), [], ""),
    ],
)
def test_days(module, values, kind, days, written):
    found, how = module("parsing").days(chunked(values, kind))
    assert ((found - found[:1]).tolist(), how) == (days, written)
    if written == "dates":
        assert str(np.datetime64(int(found[0]), "D")) == "2026-01-31"


def test_a_day_is_that_of_its_own_zone(module):
    column = chunked(
        [datetime.datetime(2026, 1, 31, 23, tzinfo=datetime.UTC)] * 2, pa.timestamp("us", "Asia/Tokyo")
    )
    found, _ = module("parsing").days(column)
    assert str(np.datetime64(int(found[0]), "D")) == "2026-02-01"


@pytest.mark.parametrize(
    ("values", "kind", "index", "value"),
    [
        (["2026-01-31", "31.01.2026"], None, 1, "31.01.2026"),
        (["2026-01-31", "7"], None, 1, "7"),
        (["2026-13-01", "2026-01-01"], None, 0, "2026-13-01"),
        (["20261399", "20260101"], None, 0, "20261399"),
        (["2026-01", ""], None, 0, "2026-01"),
        ([3, 20260131], pa.int64(), 0, "3"),
        (["2026-01-01", None], pa.string(), 1, ""),
        ([datetime.date(2026, 1, 1), None], pa.date32(), 1, ""),
    ],
)
def test_no_days(module, values, kind, index, value):
    parsing = module("parsing")
    with pytest.raises(parsing.Unreadable) as raised:
        parsing.days(chunked(values, kind))
    assert (raised.value.index, raised.value.value) == (index, value)
    assert raised.value.why.startswith("is no day")


def test_numbers(module):
    parsing = module("parsing")
    texts = parsing.numbers(chunked(["1", " 2.5e3", "", "NA", "-", "-7"]))
    np.testing.assert_array_equal(texts, [1, 2500, np.nan, np.nan, np.nan, -7])
    np.testing.assert_array_equal(parsing.numbers(chunked([1, None, 3], pa.int32())), [1, np.nan, 3])
    assert parsing.numbers(chunked([], pa.float64())).tolist() == []


@pytest.mark.parametrize(
    ("values", "kind", "index", "why"),
    [
        (["1", "2", "many"], None, 2, "is no number"),
        (["1", "1_000"], None, 1, "is no number"),
        (["1", "inf"], None, 1, "is infinite, or beyond 1e+30"),
        ([1.0, -float("inf")], pa.float64(), 1, "is infinite, or beyond 1e+30"),
        ([1.7976931348623157e308, 1.0], pa.float64(), 0, "is infinite"),
        ([datetime.date(2026, 1, 1)] * 2, pa.date32(), 0, "is no number, but date32"),
    ],
)
def test_no_numbers(module, values, kind, index, why):
    parsing = module("parsing")
    with pytest.raises(parsing.Unreadable) as raised:
        parsing.numbers(chunked(values, kind))
    assert raised.value.index == index and raised.value.why.startswith(why)
