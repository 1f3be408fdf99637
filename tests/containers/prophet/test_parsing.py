"""What a column's values mean, and what is counted where they mean nothing."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest


@pytest.fixture
def place(module):
    findings = module("findings")
    found = findings.Findings(dict.fromkeys(findings.MEANINGS, ""))
    return module("parsing").Place("a.csv", np.arange(1, 100), found)


def parsed(module, place, values, kind=None, **formats):
    parsing = module("parsing")
    column = pa.chunked_array([pa.array(values, kind)])
    return [str(ds) for ds in parsing.timestamps(column, parsing.Formats(**formats), place)]


def numbers(module, place, values, kind=None, **formats):
    parsing = module("parsing")
    column = pa.chunked_array([pa.array(values, kind)])
    return parsing.values(column, parsing.Formats(**formats), place).tolist()


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        ("2024-01-02", {}, "2024-01-02T00:00:00"),
        ("2024-01-02 03:04", {}, "2024-01-02T03:04:00"),
        ("2024-01-02T03:04:05.25", {}, "2024-01-02T03:04:05.25"),
        (" 2024-01-02 ", {}, "2024-01-02T00:00:00"),
        ("20240102", {}, "2024-01-02T00:00:00"),
        ("1/2/2024", {}, "2024-01-02T00:00:00"),
        ("1/2/2024", {"timestamp": "%d/%m/%Y"}, "2024-02-01T00:00:00"),
        ("2024-01-02T03:00:00Z", {}, "2024-01-02T03:00:00"),
        ("2024-01-02 03:00:00+02:00", {}, "2024-01-02T01:00:00"),
        ("2024-01-02T03:00:00-0500", {}, "2024-01-02T08:00:00"),
        ("2024-07-02T00:00:00Z", {"zone": "Europe/Madrid"}, "2024-07-02T02:00:00"),
        ("2024-07-02T00:00:00", {"zone": "Europe/Madrid"}, "2024-07-02T00:00:00"),
        ("yesterday-ish", {}, "NaT"),
        ("2024-02-30", {}, "NaT"),
        ("1704067200", {}, "NaT"),
        ("0024-01-01", {}, "NaT"),
        ("9999-12-31", {}, "NaT"),
        ("", {}, "NaT"),
        (None, {}, "NaT"),
    ],
)
def test_timestamps_in_text(module, place, text, formats, expected):
    for others in ([], ["2024-01-01"] if not formats.get("timestamp") else ["01/01/2024"]):
        found = parsed(module, place, [*others, text], pa.string(), **formats)[-1]
        assert np.datetime64(found) == np.datetime64(expected) or found == expected == "NaT"


def test_mixed_zones_are_converted_and_counted(module, place):
    values = ["2024-01-01T00:00:00Z", "2024-01-01T01:00:00+02:00", "2024-01-01 05:00", "nonsense"]
    stamps = parsed(module, place, values)
    assert [stamp[:13] for stamp in stamps] == ["2024-01-01T00", "2023-12-31T23", "2024-01-01T05", "NaT"]
    report = place.findings.as_json()
    assert report["zoned_timestamp"]["count"] == 2
    assert report["unreadable_timestamp"]["examples"] == [{"file": "a.csv", "row": 4, "value": "nonsense"}]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ns"), pa.timestamp("s"), pa.date32(), pa.timestamp("ms", "America/New_York")]
)
def test_typed_timestamps(module, place, kind):
    zone = datetime.UTC if getattr(kind, "tz", None) else None
    day = datetime.datetime(2024, 1, 2, tzinfo=zone)
    assert [stamp[:10] for stamp in parsed(module, place, [day, None], kind)] == ["2024-01-02", "NaT"]
    assert place.findings.counts["zoned_timestamp"] == (1 if zone else 0)


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("1.5", 1.5, None),
        (" 1e3 ", 1000.0, None),
        ("-2", -2.0, None),
        ("", None, "missing_value"),
        (None, None, "missing_value"),
        ("NaN", None, "missing_value"),
        ("n/a", None, "missing_value"),
        ("many", None, "unreadable_value"),
        ("1,5", None, "unreadable_value"),
        ("0x10", None, "unreadable_value"),
        ("inf", None, "infinite_value"),
        ("-Infinity", None, "infinite_value"),
    ],
)
def test_values_in_text(module, place, text, expected, reason):
    for others in (["1"], ["1", "odd one"]):
        place.findings.counts.update(dict.fromkeys(place.findings.counts, 0))
        found = numbers(module, place, [*others, text], pa.string())[-1]
        assert found == expected or (expected is None and np.isnan(found))
        counts = {name: count for name, count in place.findings.counts.items() if count}
        counts["unreadable_value"] = counts.get("unreadable_value", 0) - (len(others) - 1)
        assert {name for name, count in counts.items() if count} == ({reason} if reason else set())


def test_typed_values(module, place):
    assert numbers(module, place, [1, 2], pa.int64()) == [1.0, 2.0]
    assert numbers(module, place, [decimal.Decimal("1.25")]) == [1.25]
    assert np.isnan(numbers(module, place, [None, 1.0, float("inf")])).tolist() == [True, False, True]


def test_decimal_comma(module, place):
    assert numbers(module, place, ["1.234,5", "2"], decimal=",") == [1234.5, 2.0]


@pytest.mark.parametrize(
    ("values", "kind", "names"),
    [
        (["a", "b", "a"], pa.string(), ["a", "b", "a"]),
        ([7, 12, 7], pa.int32(), ["7", "12", "7"]),
        ([7.0, 12.0, None], pa.float64(), ["7", "12", None]),
        (["7.0", "-12.0", None], pa.string(), ["7", "-12", None]),
        (["7.0", "x", " "], pa.string(), ["7.0", "x", None]),
        (["NA", "", "null"], pa.string(), ["NA", None, "null"]),
    ],
)
def test_codes(module, place, values, kind, names):
    known = {"b": 0}
    codes = module("parsing").codes(pa.chunked_array([pa.array(values, kind)]), known, place)
    assert [list(known)[code] if code >= 0 else None for code in codes.tolist()] == names
    assert next(iter(known)) == "b"
    assert place.findings.counts["no_customer"] == names.count(None)


@pytest.mark.parametrize("texts", [["01/02/2024", "13/02/2024"], ["01.02.2024"], ["1-2-24", "31-1-24 10:00"]])
def test_the_day_first_is_never_guessed(module, place, texts):
    with pytest.raises(module("parsing").DayFirst, match="has the day first"):
        parsed(module, place, texts)


def test_a_slip_among_dates_with_the_month_first_is_unreadable(module, place):
    assert parsed(module, place, ["01/02/2024", "01/31/2024", "31/01/2024"])[2] == "NaT"


@pytest.mark.parametrize("text", ["now", "today", "10:00", "10:00:00.123456", "Jan 5"])
def test_a_timestamp_without_a_date_is_unreadable(module, place, text):
    assert parsed(module, place, ["2024-01-01", text])[1] == "NaT"


def test_months_have_names(module, place):
    assert parsed(module, place, ["05-Jan-24", "5 January 2024"]) == ["2024-01-05T00:00:00.000000"] * 2


def test_the_largest_double_marks_a_missing_value(module, place):
    assert numbers(module, place, [1.0, 1.7976931348623157e308])[0] == 1.0
    assert place.findings.counts["infinite_value"] == 1


def test_long_numbers_kept_as_floats_are_ids_without_exponent(module, place):
    known = {}
    module("parsing").codes(pa.chunked_array([pa.array([12345678901.0, 7.0, None])]), known, place)
    assert list(known) == ["12345678901", "7"]


def test_a_point_where_the_comma_is_decimal_is_no_thousand(module, place):
    found = numbers(module, place, ["1.234,5", "-1.234.567", "2,5", "12.5"], decimal=",")
    assert found[:3] == [1234.5, -1234567.0, 2.5] and np.isnan(found[3])
