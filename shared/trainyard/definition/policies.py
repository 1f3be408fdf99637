"""The two policies of a step: when a cached result may stand in for it, and when it is tried again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trainyard.definition.problems import (
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    Problems,
    Where,
    possible,
)

EXCEPTION_TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
MAX_ATTEMPTS = 20
MAX_EXPIRE_AFTER_MIN = 14400
RETRY_KEYS = ("BackoffRate", "IntervalSeconds", "MaxAttempts", "ExpireAfterMin", "ExceptionType")

NUMBER_OF = r"(?:(?P<{}>[0-9]+(?:[.,][0-9]+)?){})?"
DURATION = re.compile(
    "(?=[PT0-9])P?"
    + "".join(NUMBER_OF.format(unit, unit[0]) for unit in ("years", "months", "weeks", "days"))
    + "(?:T"
    + "".join(NUMBER_OF.format(unit, unit[0]) for unit in ("hours", "minutes", "seconds"))
    + ")?",
    re.IGNORECASE,
)
SECONDS = {
    "years": 365 * 86400,
    "months": 30 * 86400,
    "weeks": 7 * 86400,
    "days": 86400,
    "hours": 3600,
    "minutes": 60,
    "seconds": 1,
}


@dataclass(frozen=True, kw_only=True)
class CacheConfig:
    enabled: bool
    expire_after: timedelta | None = None  # None: a result never gets too old


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exactly one of ``max_attempts`` and ``expire_after`` is given."""

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2.0
    max_attempts: int | None = None
    expire_after: timedelta | None = None


def duration(text: str) -> timedelta | None:
    """An ISO 8601 duration, None if it is none. A month counts as 30 days, a year as 365.

    As the SDK's documentation and AWS's examples also write them: in lower case, and without the P (``p30d``,
    ``T12H``, ``30d``).
    """
    match = DURATION.fullmatch(text)
    amounts = {} if match is None else {unit: value for unit, value in match.groupdict().items() if value}
    if not amounts or text[-1] in "Tt":
        return None
    try:
        return timedelta(
            seconds=sum(float(value.replace(",", ".")) * SECONDS[unit] for unit, value in amounts.items())
        )
    except OverflowError:
        return None


def read_cache_config(raw: Any, where: Where, problems: Problems) -> CacheConfig | None:
    """``{"Enabled": true, "ExpireAfter": "P30D"}``; None where there is none."""
    if raw is None or not problems.is_a(raw, (OBJECT,), where):
        return None
    problems.refuse_unknown_keys(raw, ("Enabled", "ExpireAfter"), where)
    enabled = problems.field(raw, "Enabled", BOOLEAN, where, required=True)
    text = problems.field(raw, "ExpireAfter", STRING, where)
    expire_after = None if text is None else duration(text)
    if text is not None and expire_after is None:
        problems.add(where.at("ExpireAfter"), f"{text!r} is no ISO 8601 duration; write P30D, PT12H, P1DT6H")
    return CacheConfig(enabled=bool(enabled), expire_after=expire_after)


def read_retry_policies(raw: Any, where: Where, problems: Problems) -> tuple[RetryPolicy, ...]:
    """The policies of a step, in their order."""
    if raw is None or not problems.is_a(raw, (LIST,), where):
        return ()
    return tuple(
        _read_retry_policy(policy, where.at(index), problems)
        for index, policy in enumerate(raw)
        if problems.is_a(policy, (OBJECT,), where.at(index))
    )


def _read_retry_policy(raw: Mapping[str, Any], where: Where, problems: Problems) -> RetryPolicy:
    problems.refuse_unknown_keys(raw, RETRY_KEYS, where)
    if (raw.get("MaxAttempts") is None) == (raw.get("ExpireAfterMin") is None):
        problems.add(where, "needs exactly one of MaxAttempts and ExpireAfterMin")
    minutes = _number(raw, "ExpireAfterMin", INTEGER, (1, MAX_EXPIRE_AFTER_MIN), where, problems)
    attempts = _number(raw, "MaxAttempts", INTEGER, (1, MAX_ATTEMPTS), where, problems)
    interval = _number(raw, "IntervalSeconds", NUMBER, (0, None), where, problems)
    backoff = _number(raw, "BackoffRate", NUMBER, (0, None), where, problems)
    return RetryPolicy(
        exception_types=_exception_types(raw.get("ExceptionType"), where.at("ExceptionType"), problems),
        interval_seconds=1 if interval is None else interval,
        backoff_rate=2.0 if backoff is None else backoff,
        max_attempts=attempts,
        expire_after=None if minutes is None else timedelta(minutes=minutes),
    )


def _number(
    raw: Mapping[str, Any],
    key: str,
    kind: str,
    bounds: tuple[int, int | None],
    where: Where,
    problems: Problems,
) -> Any:
    value = problems.field(raw, key, kind, where)
    low, high = bounds
    if value is not None and (value < low or (high is not None and value > high)):
        span = f"from {low} to {high}" if high is not None else f"{low} or more"
        problems.add(where.at(key), f"{value} is out of range; possible: {span}")
        return None
    return value


def _exception_types(raw: Any, where: Where, problems: Problems) -> tuple[str, ...]:
    names = [raw] if isinstance(raw, str) else raw  # the public schema has one name, the SDK writes a list
    if not problems.is_a(names, (LIST,), where):
        return ()
    if not names:
        problems.add(where, f"empty; {possible('', EXCEPTION_TYPES)}")
    for index, name in enumerate(names):
        if name not in EXCEPTION_TYPES:
            problems.add(
                where.at(index), f"unknown exception type {name!r}; {possible(name, EXCEPTION_TYPES)}"
            )
    return tuple(name for name in names if name in EXCEPTION_TYPES)
