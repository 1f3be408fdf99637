"""Timestamps go on as pandas would infer it, without pandas."""

from __future__ import annotations

import numpy as np
import pytest

DAY = 86_400_000_000_000


@pytest.mark.parametrize(
    ("stamps", "step"),
    [
        (["2024-01-01", "2024-01-02"], DAY),
        (["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"], DAY),
        (["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-07"], DAY),
        (["2024-01-01T00:00", "2024-01-01T00:15", "2024-01-01T00:30"], DAY // 96),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "ME"),
        (["2023-07-01", "2023-08-01", "2023-09-01"], "MS"),
        (["2021-01-01", "2022-01-01", "2023-01-01"], "12MS"),
        (["2024-01-19", "2024-02-16", "2024-03-15"], 28 * DAY),
        (["2024-02-16", "2024-03-15", "2024-04-19"], "WOM-3FRI"),
        (["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], "B"),
    ],
)
def test_infer(module, stamps, step):
    assert module("steps").infer(np.array(stamps, "datetime64[us]")) == step


@pytest.mark.parametrize("step", [DAY, "400MS", "WOM-1MON", "B"])
def test_the_end_of_time_is_an_error(module, step):
    last = int(np.datetime64("2261-12-30", "ns").astype(np.int64))
    with pytest.raises(OverflowError, match="10000 steps after 2261-12-30T00:00"):
        module("steps").following(last, step, 10_000)


@pytest.mark.parametrize(
    ("step", "valid"), [(1, True), ("MS", True), (0, False), (True, False), ("", False), (1.5, False)]
)
def test_valid(module, step, valid):
    assert module("steps").valid(step) is valid


def test_pandas_agrees(snippet, tmp_path):
    snippet(
        """
import warnings
import numpy as np
import pandas as pd
import steps

warnings.simplefilter("ignore")  # of the form in which later pandas will tell a frequency

def by_pandas(dates, count):
    unique = dates.drop_duplicates()
    for tail in (unique, unique.tail(30)):
        freq = pd.infer_freq(tail) if len(tail) > 2 else None
        if freq is not None and (not freq[0].isdigit() or freq.lstrip("0123456789")[0] in "MQYB"):
            break
    else:
        freq = unique.diff().median()
    last = dates.iloc[-1]
    following = pd.date_range(last, periods=count + 1, freq=freq, unit="ns")
    return following[following > last][:count].to_numpy()

FREQUENCIES = ("D 2D W-WED 2W h 6h 15min s ms MS ME 2MS 6ME QS QE-FEB 2QS YS YE YS-APR BMS BME 3BMS BQS BQE BYS "
    "BYE B WOM-3FRI WOM-1MON WOM-4SUN bh").split()
generator = np.random.default_rng(0)
for trial in range(6 * len(FREQUENCIES)):
    freq = FREQUENCIES[trial % len(FREQUENCIES)]
    start = pd.Timestamp("1995-01-01") + pd.Timedelta(hours=int(generator.integers(0, 200_000)))
    dates = pd.Series(pd.date_range(start, periods=int(generator.integers(2, 60)), freq=freq))
    gaps = generator.random(len(dates)) < (0, 0.1)[trial // len(FREQUENCIES) % 2]
    gaps[-2:] = False
    dates = dates[~gaps]
    step = steps.infer(dates.to_numpy())
    found = steps.following(int(dates.iloc[-1].as_unit("ns").value), step, 9)
    assert (found == by_pandas(dates, 9)).all(), (freq, step, found)
""",
        tmp_path,
    )
