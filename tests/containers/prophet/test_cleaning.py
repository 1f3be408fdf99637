"""The rules, against a slow and plain reading of them."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

DAY = np.datetime64("2024-01-01", "us")
CHOICES = {
    "on_negative": ("keep", "drop", "zero"),
    "on_duplicate": ("mean", "first", "last", "sum"),
    "on_missing": ("drop", "interpolate", "zero"),
    "min_rows": (2, 3, 5),
    "horizon": (1, 3),
}
RULES = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()})
ROW = st.tuples(
    st.sampled_from([-1, 0, 1, 2]),  # a customer, or none
    st.sampled_from([None, 0, 1, 2, 4, 7]),  # a day, or none
    st.sampled_from([None, -2.0, 0.0, 1.0, 3.0]),
)


def readings(module, rows):
    days = [
        np.datetime64("NaT", "us") if day is None else DAY + np.timedelta64(day, "D") for _, day, _ in rows
    ]
    return module("readings").Readings(
        customers=["a", "b", "c"],
        files=["x.csv"],
        code=np.array([code for code, _, _ in rows], np.int32),
        ds=np.array(days, "datetime64[us]"),
        y=np.array([math.nan if y is None else y for _, _, y in rows]),
        file=np.zeros(len(rows), np.int32),
        row=np.arange(1, len(rows) + 1),
    )


def clean(module, rows, **rules):
    findings = module("findings")
    found = findings.Findings(dict.fromkeys(findings.MEANINGS, ""))
    defaults = {name: values[0] for name, values in CHOICES.items()}
    cleaning = module("cleaning")
    return cleaning.clean(readings(module, rows), cleaning.Rules(**(defaults | rules)), found), found


def split(cleaned):
    """{customer: (rows to train, rows held out)}, rows as (day, value)."""
    days = ((cleaned.ds - DAY) / np.timedelta64(1, "D")).astype(int).tolist()
    rows = list(zip(days, cleaned.y.tolist(), strict=True))
    bounds = zip(cleaned.order, cleaned.starts, cleaned.splits, cleaned.ends, strict=True)
    return {"abc"[code]: (rows[start:middle], rows[middle:end]) for code, start, middle, end in bounds}


def plainly(rows, on_negative, on_duplicate, on_missing, min_rows, horizon):
    """The same, one reading at a time."""
    values = defaultdict(lambda: defaultdict(list))
    for code, day, y in rows:
        if code < 0 or day is None or (y is None and on_missing == "drop"):
            continue
        if y is not None and y < 0 and on_negative == "drop":
            continue
        y = 0.0 if y is None and on_missing == "zero" else y
        values["abc"[code]][day].append(0.0 if y is not None and y < 0 and on_negative == "zero" else y)
    result = {}
    merge = {
        "mean": lambda ys: sum(ys) / len(ys),
        "sum": sum,
        "first": lambda ys: ys[0],
        "last": lambda ys: ys[-1],
    }
    for customer, days in sorted(values.items()):
        series = {}
        for day in sorted(days):
            known = [y for y in days[day] if y is not None]
            series[day] = merge[on_duplicate](known) if known else None
        known = {day: y for day, y in series.items() if y is not None}
        for day, y in series.items():
            before, after = [d for d in known if d < day], [d for d in known if d > day]
            if y is None and before and after:
                low, high = max(before), min(after)
                series[day] = known[low] + (day - low) / (high - low) * (known[high] - known[low])
        left = [(day, y) for day, y in series.items() if y is not None]
        if len(left) >= min_rows:
            at = len(left) - horizon if len(left) >= horizon + min_rows else len(left)
            result[customer] = (left[:at], left[at:])
    return result


@given(st.lists(ROW, max_size=40), RULES)
def test_the_rules(module, rows, rules):
    expected = plainly(rows, **rules)
    if not expected:
        with pytest.raises(module("readings").Refused, match=f"no customer has {rules['min_rows']} usable"):
            clean(module, rows, **rules)
        return
    found = split(clean(module, rows, **rules)[0])
    assert found.keys() == expected.keys()
    for customer, parts in expected.items():
        for part, rows_found in zip(parts, found[customer], strict=True):
            assert [day for day, _ in part] == [day for day, _ in rows_found]
            assert [y for _, y in part] == pytest.approx([y for _, y in rows_found])


def test_counts_and_examples(module):
    rows = [(0, 0, 1.0), (0, 1, -2.0), (0, 1, 4.0), (0, 7, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 0, 1.0)]
    cleaned, found = clean(module, rows)
    assert cleaned.excluded == {"c": 1}
    assert cleaned.step_seconds == 86_400
    report = found.as_json()
    where = {
        "file": "x.csv",
        "row": 3,
        "customer": "a",
        "timestamp": "2024-01-02T00:00:00.000000",
        "value": 4.0,
    }
    assert (report["duplicate"]["count"], report["duplicate"]["examples"]) == (1, [where])
    assert (report["negative_value"]["count"], report["negative_value"]["examples"][0]["row"]) == (1, 2)
    assert report["gap"]["count"] == 5
    assert report["gap"]["examples"] == [
        {"customer": "a", "after": "2024-01-02T00:00:00.000000", "missing": 5}
    ]


def test_a_duplicate_can_be_an_error(module):
    with pytest.raises(module("readings").Refused) as raised:
        clean(module, [(0, 0, 1.0), (0, 1, 2.0), (0, 1, 2.0)], on_duplicate="error")
    assert "x.csv row 3: customer 'a' has 2024-01-02T00:00:00.000000 more than once (1 such rows)" in str(
        raised.value
    )
    assert "--on-duplicate mean, first, last or sum" in str(raised.value)


def test_nothing_usable_is_told_with_its_reason(module):
    found = module("findings").Findings(dict.fromkeys(module("findings").MEANINGS, ""))
    found.add("unreadable_value", 28, [{"file": "a.csv", "row": 1, "value": "11,5"}])
    assert found.tell() == "28 unreadable_value ('11,5', a.csv row 1)"


def test_gaps_are_counted_by_each_customers_own_step(module):
    np, cleaning = module("numpy"), module("cleaning")
    days = np.array([1, 2, 3, 5, 1, 8, 15, 29]).astype("timedelta64[D]")
    ds = np.datetime64("2024-01-01", "us") + days
    found = module("findings").Findings(dict.fromkeys(module("findings").MEANINGS, ""))
    code = np.array([0] * 4 + [1] * 4)
    cleaning._step_and_gaps(["daily", "weekly"], code, ds, np.array([0, 4]), found)
    assert [gap["customer"] for gap in found.examples["gap"]] == ["daily", "weekly"]
    assert found.counts["gap"] == 2
