from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.schedules import Schedule

NOW = datetime(2026, 11, 21, 14, 30, 20, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", "2026-11-21 14:31:20"),
        ("rate(2 days)", "2026-11-23 14:30:20"),
        ("cron(0/15 * * * ? *)", "2026-11-21 14:45:00"),
        ("cron(30 14 * * ? *)", "2026-11-22 14:30:00"),
        ("cron(0 8 ? * MON-FRI *)", "2026-11-23 08:00:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01 08:00:00"),
        ("cron(0 0 1 JAN,JUL ? *)", "2027-01-01 00:00:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29 00:00:00"),
        ("cron(0 12 ? * 1 2026)", "2026-11-22 12:00:00"),
    ],
)
def test_when_a_schedule_is_due_next(expression: str, expected: str) -> None:
    assert f"{Schedule(expression).next(NOW):%Y-%m-%d %H:%M:%S}" == expected


def test_the_longest_interval_is_a_moment_too() -> None:
    assert Schedule("rate(99999 days)").next(NOW).year == 2300


def test_a_schedule_that_is_over_is_never_due() -> None:
    assert Schedule("cron(0 12 * * ? 2020)").next(NOW) is None
    assert Schedule("cron(0 0 31 2 ? *)").next(NOW) is None


@pytest.mark.parametrize(
    "expression",
    [
        "", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "cron(* * * * *)",
        "cron(60 * * * ? *)", "cron(* * * * * *)", "cron(* * ? * ? *)", "cron(0 0 L * ? *)", "cron(0/0 * * * ? *)",
        "cron(0 0 ? * MON#2 *)", "at(2026-01-01T00:00:00)", "cron(5-1 * * * ? *)",
        "rate(999999 days)", f"rate({'9' * 5000} days)", f"cron({'1' * 5000} * * * ? *)",
        f"cron(0/{'1' * 5000} * * * ? *)",
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused_with_the_text(expression: str) -> None:
    with pytest.raises(AwsError, match="ScheduleExpression is not valid") as caught:
        Schedule(expression)
    assert (caught.value.code, repr(expression) in str(caught.value)) == ("ValidationException", True)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 59), st.integers(0, 23))
def test_a_daily_schedule_is_due_once_a_day(now: datetime, minute: int, hour: int) -> None:
    due = Schedule(f"cron({minute} {hour} * * ? *)").next(now.replace(tzinfo=UTC))
    assert due is not None and (due.minute, due.hour) == (minute, hour)
    assert timedelta(0) < due - now.replace(tzinfo=UTC) <= timedelta(days=1)
