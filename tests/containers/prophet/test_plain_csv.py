"""The quick reader answers as the general one does, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FORMS = {"D": 10, "s": 19, "us": 26}
NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**17), 10**17),
    st.sampled_from(
        ["0", "-0", "-0.0", "00.10", "1e5", "123456789012345", "9999999999999.9", "0.30000000000000004"]
    ),
).map(str)
ODD = st.text(st.sampled_from('0123456789-.:, eE+_naif\n\r"'), max_size=12)


def text(stamps, numbers):
    return b"ds,y\n" + "".join(f"{ds},{y}\n" for ds, y in zip(stamps, numbers, strict=True)).encode()


def stamps(unit, count):
    values = np.datetime64("2024-02-27", unit) + np.arange(count) * np.timedelta64(7, unit)
    return [str(value).replace("T", " ") for value in values]


def general(module, content):
    customers = module("customers")
    try:
        series = customers.parse_any(content, "a")
    except customers.BadSeries:
        return None
    return series.ds, series.y


def same(one, other):
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@settings(deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.lists(NUMBERS, min_size=1, max_size=30))
def test_what_preprocess_writes_is_read_alike(module, unit, numbers):
    content = text(stamps(unit, len(numbers)), numbers)
    found = module("plain_csv").Reader().read(content)
    assert found is not None or any("e" in number.lower() for number in numbers)
    assert found is None or same(found, general(module, content))


@settings(deadline=None)
@given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=4), st.integers(0, 8), NUMBERS)
def test_odd_files_are_read_alike_or_left_to_the_general_reader(module, odd, place, number):
    days = stamps("D", 8)
    values = [number] * 8
    for offset, (ds, y) in enumerate(odd):
        row = (place + offset) % 8
        if ds[:1] == "1":
            days[row] = ds
        values[row] = y
    content = text(days, values)
    found = module("plain_csv").Reader().read(content)
    assert found is None or same(found, general(module, content))


@settings(deadline=None)
@given(st.binary(max_size=6), st.integers(0, 60))
def test_spoiled_bytes_are_read_alike_or_left(module, spoiled, place):
    content = text(stamps("s", 3), ["1.5", "-2", "30"])
    content = content[:place] + spoiled + content[place + len(spoiled) :]
    found = module("plain_csv").Reader().read(content)
    assert found is None or same(found, general(module, content))


@pytest.mark.parametrize(
    "row",
    [
        "2023-02-29,1", "2024-01-01T00:00,1", "2024-13-01,1", "2024-01-01,", "2024-01-01,1-1", "2024-01-01,1.2.3",
        "2024-01-01,nan", "2024-01-01,1,a", "", "2024-01-01", "2024-01-01, 1", "2024-01-01,-", "2024-01-01,.",
        "2024-01-01," + "9" * 400,
    ],
)  # fmt: skip
def test_what_is_left_to_the_general_reader(module, row):
    reader = module("plain_csv").Reader()
    assert reader.read(b"ds,y\n2022-01-01,1\n" + row.encode() + b"\n") is None
    assert reader.read(b"ds,y\n" + row.encode() + b"\n2025-01-01,1\n") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"ds,y\n", b"ds,y\n2024-01-01,1", b"y,ds\n1,2024-01-01\n", b"ds,y\n2024-01-02,1\n2024-01-01,1\n"],
)
def test_files_without_rows_or_out_of_order_are_left(module, content):
    assert module("plain_csv").Reader().read(content) is None


def test_equal_timestamps_are_parsed_once(module):
    reader = module("plain_csv").Reader()
    days = stamps("D", 5)
    first, _ = reader.read(text(days, range(5)))
    second, y = reader.read(text(days, range(5, 10)))
    assert second is first and y.tolist() == [5, 6, 7, 8, 9]
    with pytest.raises(ValueError, match="read-only"):
        first[0] = first[1]
    other, _ = reader.read(text(days[1:], range(4)))
    assert len(other) == 4
