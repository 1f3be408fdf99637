"""Schedule expressions of EventBridge: when a rule fires next.

Source: Amazon EventBridge User Guide, "Setting a schedule pattern" (rate and cron expressions, UTC).
"""

from __future__ import annotations

import re
from collections.abc import Set
from datetime import UTC, datetime, timedelta

from trainyard.errors import UserError
from trainyard.local_aws.messages import AwsError

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# field: lowest, highest, names (the first stands for the lowest)
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minutes", 0, 59, []),
    ("hours", 0, 23, []),
    ("day-of-month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 1, 7, _DAYS),
    ("year", 1970, 2199, []),
)
_YEARS_AHEAD = 5


class Schedule:
    """``rate(5 minutes)`` or ``cron(0 12 * * ? *)``; raises AwsError (ValidationException) for anything else."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._every = 0
        rate = re.fullmatch(r"rate\((\d{1,5}) (minute|hour|day)(s?)\)", expression)
        cron = re.fullmatch(r"cron\(([^)]*)\)", expression)
        if rate and int(rate[1]) > 0 and (int(rate[1]) == 1) == (rate[3] == ""):
            self._every = int(rate[1]) * _UNITS[rate[2]]
        elif cron and len(cron[1].split()) == 6:
            parts = cron[1].split()
            self._fields = [self._field(text, *field) for text, field in zip(parts, _FIELDS, strict=True)]
            if (parts[2] == "?") == (parts[4] == "?"):
                raise self._wrong("one of day-of-month and day-of-week is '?'")
        else:
            raise self._wrong(
                "write rate(5 minutes) or cron(minutes hours day-of-month month day-of-week year)"
            )

    def next(self, after: datetime) -> datetime | None:
        """The first moment later than ``after`` (UTC); None where there is none in the next years."""
        if self._every:
            return after + timedelta(seconds=self._every)
        minutes, hours, days, months, weekdays, years = self._fields
        moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = after.year + _YEARS_AHEAD
        while moment.year <= last:
            weekday = moment.isoweekday() % 7 + 1
            if moment.month not in months or moment.year not in years:
                year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
                moment = datetime(year, month, 1, tzinfo=UTC)
            elif moment.day not in days or weekday not in weekdays:
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        return None

    def _field(self, text: str, name: str, low: int, high: int, names: list[str]) -> Set[int]:
        allowed: set[int] = set()
        for part in text.split(","):
            span, slash, step = part.partition("/")
            if span in ("*", "?"):
                first, last = low, high
            else:
                begin, dash, end = span.partition("-")
                first = self._number(begin, name, low, names)
                last = self._number(end, name, low, names) if dash else (high if slash else first)
            stride = int(step) if step.isdecimal() and len(step) <= 4 else 0 if slash else 1
            if stride < 1 or not low <= first <= last <= high:
                raise self._wrong(f"{name} is {text!r}; {low} to {high}, with , - * / are possible")
            allowed |= set(range(first, last + 1, stride))
        return allowed

    def _number(self, text: str, name: str, low: int, names: list[str]) -> int:
        if text.upper() in names:
            return names.index(text.upper()) + low
        if not text.isdecimal() or len(text) > 4:
            raise self._wrong(
                f"{name} has {text!r}; numbers with , - * / are possible here, L, W and # are not"
            )
        return int(text)

    def _wrong(self, why: str) -> UserError:
        return AwsError(
            "ValidationException", f"Parameter ScheduleExpression is not valid: {self._text!r}: {why}"
        )
