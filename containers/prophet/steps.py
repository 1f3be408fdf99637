"""How a customer's timestamps go on: a fixed time between two, or a rule of the calendar.

A step is a whole number of nanoseconds, or a text: ``3MS`` every third month's first day (``ME`` last,
``BMS`` first weekday, ``BME`` last weekday), ``B`` every weekday, ``WOM-3FRI`` every month's third Friday.
These are pandas' names, and what pandas would infer; another of its names is left to pandas.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

Step = int | str
DAY = 86_400_000_000_000
LAST = np.iinfo(np.int64).max  # in 2262
RECENT = 30  # rows; older gaps do not hide how the series goes on
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_SHORTEST_MONTH = 26  # days, from a first weekday to the next, or from a last one
_BUSINESS_HOURS = ([1, 17], [1, 65], [1, 17, 65])
_MONTHS = re.compile(r"([1-9]\d*)?(B?M[SE])")
_WEEK = re.compile(rf"WOM-([1-4])({'|'.join(_WEEKDAYS)})")


def infer(ds: np.ndarray[Any, Any]) -> Step:
    """The rule that all timestamps (ascending, not all equal) keep, or else the last 30; else their median
    distance."""
    stamps = ds.astype("datetime64[ns]").view(np.int64)
    distances = np.diff(stamps)
    if not distances.all():
        stamps = np.unique(stamps)
        distances = np.diff(stamps)
    for few in (stamps, stamps[-RECENT:]):
        if len(few) > 2 and (step := _rule(few)) is not None:
            return step
    return int(np.median(distances))


def following(last: int, step: Step, count: int) -> np.ndarray[Any, Any]:
    """The ``count`` timestamps (datetime64[ns]) after ``last``, nanoseconds since 1970, which keeps the rule.

    Raises OverflowError beyond year 2261.
    """
    if isinstance(step, int):
        _within(last + step * count, last, count)
        stamps = np.arange(1, count + 1) * step + last
    elif found := _MONTHS.fullmatch(step):
        stamps = _months(last, int(found[1] or 1), found[2], count)
    elif found := _WEEK.fullmatch(step):
        stamps = _weeks(last, int(found[1]), found[2].title(), count)
    elif step == "B":
        days = np.busday_offset(np.datetime64(last // DAY, "D"), np.arange(1, count + 1), roll="backward")
        stamps = _at(days, last, count)
    else:
        return _by_pandas(last, step, count)
    return stamps.view("datetime64[ns]")


def valid(step: object) -> bool:
    """Whether a value read from a file is a step."""
    if isinstance(step, int):
        return step > 0 and not isinstance(step, bool)
    return isinstance(step, str) and 0 < len(step) <= 20


def _rule(stamps: np.ndarray[Any, Any]) -> Step | None:
    """The step that exactly these timestamps keep."""
    distances = np.diff(stamps)
    least, most = int(distances.min()), int(distances.max())
    if least % DAY:
        if least == most:
            return least
        return "bh" if np.unique(distances / (DAY // 24)).tolist() in _BUSINESS_HOURS else None
    if least < _SHORTEST_MONTH * DAY:
        if least == most:
            return least
        return "B" if _weekdays(stamps, distances) else None
    days = stamps.view("datetime64[ns]").astype("datetime64[D]")
    months = np.unique(np.diff(days.astype("datetime64[M]").astype(np.int64)))
    if len(months) == 1 and months[0] > 0 and (anchor := _anchor(days)):
        return f"{months[0] if months[0] > 1 else ''}{anchor}"
    return least if least == most else _week_of_month(days)


def _anchor(days: np.ndarray[Any, Any]) -> str | None:
    for anchor in ("MS", "BMS", "ME", "BME"):
        if (_anchored(days.astype("datetime64[M]"), anchor) == days).all():
            return anchor
    return None


def _anchored(months: np.ndarray[Any, Any], anchor: str) -> np.ndarray[Any, Any]:
    """The day of each month that the anchor names."""
    if anchor == "MS":
        return months.astype("datetime64[D]")
    if anchor == "ME":
        return (months + 1).astype("datetime64[D]") - 1
    if anchor == "BMS":
        return np.busday_offset(months.astype("datetime64[D]"), 0, roll="forward")
    return np.busday_offset((months + 1).astype("datetime64[D]"), -1, roll="forward")


def _weekdays(stamps: np.ndarray[Any, Any], distances: np.ndarray[Any, Any]) -> bool:
    """Whether these are all days from Monday to Friday, one after another."""
    days = distances // DAY
    if np.unique(days).tolist() != [1, 3]:
        return False
    weekday = (stamps[1:] // DAY + 3) % 7
    return bool((np.where(weekday == 0, days == 3, (weekday <= 4) & (days == 1))).all())


def _week_of_month(days: np.ndarray[Any, Any]) -> str | None:
    weekdays = np.unique((days.astype(np.int64) + 3) % 7)
    weeks = np.unique((days - days.astype("datetime64[M]")).astype(np.int64) // 7)
    weeks = weeks[weeks < 4]
    if len(weekdays) != 1 or len(weeks) != 1:
        return None
    return f"WOM-{weeks[0] + 1}{_WEEKDAYS[weekdays[0]]}"


def _months(last: int, every: int, anchor: str, count: int) -> np.ndarray[Any, Any]:
    month = np.datetime64(last // DAY, "D").astype("datetime64[M]")
    return _at(_anchored(month + every * np.arange(1, count + 1), anchor), last, count)


def _weeks(last: int, week: int, weekday: str, count: int) -> np.ndarray[Any, Any]:
    month = np.datetime64(last // DAY, "D").astype("datetime64[M]")
    starts = (month + np.arange(1, count + 1)).astype("datetime64[D]")
    return _at(np.busday_offset(starts, week - 1, roll="forward", weekmask=weekday), last, count)


def _at(days: np.ndarray[Any, Any], last: int, count: int) -> np.ndarray[Any, Any]:
    """These days at the last timestamp's time of day."""
    numbers = days.astype(np.int64)
    _within(int(numbers[-1]) * DAY + last % DAY, last, count)
    return numbers * DAY + last % DAY


def _within(end: int, last: int, count: int) -> None:
    if end > LAST:
        raise OverflowError(f"{count} steps after {np.datetime64(last, 'ns')} is too far ahead")


def _by_pandas(last: int, step: str, count: int) -> np.ndarray[Any, Any]:
    import pandas as pd

    start = pd.Timestamp(last)
    try:
        dates = pd.date_range(start, periods=count + 1, freq=step, unit="ns")
    except pd.errors.OutOfBoundsDatetime as error:
        raise OverflowError(f"{count} steps after {start} is too far ahead") from error
    return dates[dates > start][:count].to_numpy()
