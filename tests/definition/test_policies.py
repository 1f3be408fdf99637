from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.policies import (
    CacheConfig,
    RetryPolicy,
    duration,
    read_cache_config,
    read_retry_policies,
)
from trainyard.definition.problems import Problems, Where

FAULT = ["Step.SERVICE_FAULT"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P30D", timedelta(days=30)),
        ("p30d", timedelta(days=30)),
        ("PT12H", timedelta(hours=12)),
        ("T12H", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("P4DT12H", timedelta(days=4, hours=12)),
        ("PT1H30M5S", timedelta(hours=1, minutes=30, seconds=5)),
        ("PT1.5H", timedelta(minutes=90)),
        ("PT1,5H", timedelta(minutes=90)),
        ("P2W", timedelta(weeks=2)),
        ("P1Y2M", timedelta(days=365 + 60)),
        ("PT5M", timedelta(minutes=5)),
    ],
)
def test_durations(text, value):
    assert duration(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "T",
        "P1DT",
        "30",
        "12h",
        "30 days",
        "P1H",
        "PT1D",
        "P-1D",
        "P1D ",
        "P" + "9" * 400 + "D",
    ],
)
def test_what_is_no_duration(text):
    assert duration(text) is None


@settings(deadline=None)
@given(st.text(alphabet="PpTt0123456789.,YMWDHMSs ", max_size=15) | st.text(max_size=10))
def test_duration_never_crashes(text):
    assert isinstance(duration(text), timedelta | None)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ({"Enabled": True}, CacheConfig(enabled=True)),
        (
            {"Enabled": False, "ExpireAfter": "T12H"},
            CacheConfig(enabled=False, expire_after=timedelta(hours=12)),
        ),
    ],
)
def test_cache_config(raw, value):
    problems = Problems()
    assert read_cache_config(raw, Where(), problems) == value
    assert problems.messages == []


def test_retry_policies():
    problems = Problems()
    raw = [
        {"ExceptionType": FAULT, "MaxAttempts": 20, "BackoffRate": 1.5, "IntervalSeconds": 0},
        {"ExceptionType": "SageMaker.CAPACITY_ERROR", "ExpireAfterMin": 14400},
    ]
    assert read_retry_policies(raw, Where(), problems) == (
        RetryPolicy(
            exception_types=("Step.SERVICE_FAULT",), max_attempts=20, backoff_rate=1.5, interval_seconds=0
        ),
        RetryPolicy(exception_types=("SageMaker.CAPACITY_ERROR",), expire_after=timedelta(days=10)),
    )
    assert problems.messages == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"ExceptionType": FAULT}, "[0]: needs exactly one of MaxAttempts and ExpireAfterMin"),
        ({"ExceptionType": FAULT, "MaxAttempts": 1, "ExpireAfterMin": 1}, "[0]: needs exactly one of"),
        (
            {"ExceptionType": FAULT, "MaxAttempts": 21},
            "[0].MaxAttempts: 21 is out of range; possible: from 1 to 20",
        ),
        ({"ExceptionType": FAULT, "MaxAttempts": 0}, "[0].MaxAttempts: 0 is out of range"),
        (
            {"ExceptionType": FAULT, "MaxAttempts": 2.5},
            "[0].MaxAttempts: must be an integer, not a number (2.5)",
        ),
        ({"ExceptionType": FAULT, "ExpireAfterMin": 14401}, "[0].ExpireAfterMin: 14401 is out of range"),
        (
            {"ExceptionType": FAULT, "MaxAttempts": 1, "BackoffRate": -1},
            "[0].BackoffRate: -1 is out of range",
        ),
        ({"ExceptionType": FAULT, "MaxAttempts": 1, "Retries": 1}, "[0].Retries: unknown key 'Retries'"),
        (
            {"ExceptionType": [], "MaxAttempts": 1},
            "[0].ExceptionType: empty; possible: SageMaker.CAPACITY_ERROR",
        ),
        (
            {"ExceptionType": ["OOM"], "MaxAttempts": 1},
            "[0].ExceptionType[0]: unknown exception type 'OOM'; poss",
        ),
        ({"MaxAttempts": 1}, "[0].ExceptionType: must be a list, not null"),
        ("twice", '[0]: must be an object, not a string ("twice")'),
    ],
)
def test_bad_retry_policies(raw, message):
    problems = Problems()
    read_retry_policies([raw], Where(), problems)
    assert problems.messages[0].startswith(message)
