"""The rules: which readings stay, and which of them are held out to judge the forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from findings import EXAMPLES, Findings
from readings import Readings, Refused

MIN_ROWS = 2  # Prophet's own minimum, and what must be left when the horizon is held out


@dataclass(frozen=True)
class Rules:
    """``on_negative``: keep, drop, zero. ``on_missing``: drop, interpolate, zero. ``on_duplicate``: mean,
    first, last, sum, error. A customer with fewer than ``min_rows`` readings is excluded."""

    on_negative: str
    on_duplicate: str
    on_missing: str
    min_rows: int
    horizon: int


@dataclass(frozen=True)
class Clean:
    """Readings by customer and time: rows ``starts[i]:splits[i]`` of customer ``order[i]`` are for training,
    ``splits[i]:ends[i]`` are held out (none where the customer is too short)."""

    ds: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    order: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    splits: np.ndarray[Any, Any]
    ends: np.ndarray[Any, Any]
    excluded: dict[str, int]
    step_seconds: float


def clean(readings: Readings, rules: Rules, findings: Findings) -> Clean:
    """Apply the rules. Raises Refused for a duplicate where that is an error, or when nothing is left."""
    y = _negative(readings, rules.on_negative, findings)
    keep = (readings.code >= 0) & ~np.isnat(readings.ds)
    if rules.on_negative == "drop":
        keep &= ~(y < 0)
    if rules.on_missing == "drop":
        keep &= ~np.isnan(y)
    if rules.on_missing == "zero":
        y = np.nan_to_num(y, nan=0.0)
    chosen = np.flatnonzero(keep)
    # by customer, then time; of equal timestamps those with a value first, in the order they came
    chosen = chosen[np.lexsort((np.isnan(y[chosen]), readings.ds[chosen], readings.code[chosen]))]
    code, ds, y = readings.code[chosen], readings.ds[chosen], y[chosen]
    first, y = _one_per_timestamp(readings, chosen, code, ds, y, rules.on_duplicate, findings)
    code, ds = code[first], ds[first]
    if rules.on_missing == "interpolate":
        y = _interpolate(code, ds, y)
    there = ~np.isnan(y)
    return _split(readings, code[there], ds[there], y[there], rules, findings)


def _negative(readings: Readings, on_negative: str, findings: Findings) -> np.ndarray[Any, Any]:
    negative = readings.y < 0
    findings.add("negative_value", negative.sum(), _examples(readings, np.flatnonzero(negative)))
    return np.where(negative, 0.0, readings.y) if on_negative == "zero" else readings.y


def _one_per_timestamp(
    readings: Readings,
    chosen: np.ndarray[Any, Any],
    code: np.ndarray[Any, Any],
    ds: np.ndarray[Any, Any],
    y: np.ndarray[Any, Any],
    on_duplicate: str,
    findings: Findings,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The first row of each customer and timestamp, and the one value made of all its rows."""
    new = np.ones(len(code), bool)
    new[1:] = (code[1:] != code[:-1]) | (ds[1:] != ds[:-1])
    further = chosen[~new]
    findings.add("duplicate", len(further), _examples(readings, further))
    first = np.flatnonzero(new)
    if not len(further) or on_duplicate == "first":
        return first, y[first]
    if on_duplicate == "error":
        where = next(_examples(readings, further))
        raise Refused(
            f"{where['file']} row {where['row']}: customer {where['customer']!r} has {where['timestamp']} more "
            f"than once ({len(further)} such rows). Remove them, or set --on-duplicate mean, first, last or sum "
            "(--set OnDuplicate=mean)"
        )
    count = np.add.reduceat(~np.isnan(y), first, dtype=np.int64)
    if on_duplicate == "last":
        return first, y[first + np.maximum(count - 1, 0)]
    total = np.add.reduceat(np.nan_to_num(y, nan=0.0), first)
    if on_duplicate == "mean":
        total = total / np.maximum(count, 1)
    return first, np.where(count > 0, total, np.nan)


def _interpolate(
    code: np.ndarray[Any, Any], ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Fill NaN linearly in time between the same customer's neighbours; at either end it stays NaN."""
    if not len(y):
        return y
    index = np.arange(len(y))
    there = ~np.isnan(y)
    before = np.maximum.accumulate(np.where(there, index, 0))
    after = np.minimum.accumulate(np.where(there, index, len(y) - 1)[::-1])[::-1]
    between = ~there & (code[before] == code) & (code[after] == code) & there[before] & there[after]
    low, high, at = before[between], after[between], index[between]
    share = (ds[at] - ds[low]) / (ds[high] - ds[low])
    filled = y.copy()
    filled[at] = y[low] + share * (y[high] - y[low])
    return filled


def _split(
    readings: Readings,
    code: np.ndarray[Any, Any],
    ds: np.ndarray[Any, Any],
    y: np.ndarray[Any, Any],
    rules: Rules,
    findings: Findings,
) -> Clean:
    customers = readings.customers
    count = np.bincount(code, minlength=len(customers))
    enough = max(rules.min_rows, MIN_ROWS)
    short = count < enough
    keep = ~short[code]
    code, ds, y = code[keep], ds[keep], y[keep]
    if not len(y):
        raise Refused(
            f"no customer has {enough} usable readings among {len(readings.y):,} rows; "
            f"found: {findings.tell() or 'nothing to mend'}"
        )
    starts = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    ends = np.append(starts[1:], len(code))
    held_out = np.where(ends - starts >= rules.horizon + enough, rules.horizon, 0)
    excluded = {customers[index]: int(count[index]) for index in np.flatnonzero(short)}
    step = _step_and_gaps([customers[index] for index in code[starts]], code, ds, starts, findings)
    return Clean(ds, y, code[starts], starts, ends - held_out, ends, excluded, step)


def _step_and_gaps(
    names: list[str],
    code: np.ndarray[Any, Any],
    ds: np.ndarray[Any, Any],
    starts: np.ndarray[Any, Any],
    findings: Findings,
) -> float:
    """The median step between readings in seconds; how many steps are missing, by each customer's own."""
    seconds = np.diff(ds).astype(np.float64) / 1e6
    inside = code[1:] == code[:-1]
    step = float(np.median(seconds[inside]))
    own = _medians(seconds[inside], np.diff(np.append(starts, len(code))) - 1)
    missing = np.zeros(len(seconds))
    missing[inside] = np.rint(seconds[inside] / own) - 1
    gaps = np.flatnonzero(missing > 0)
    owner = np.searchsorted(starts, gaps[:EXAMPLES], side="right") - 1
    found = zip(gaps.tolist(), owner.tolist())  # noqa: B905 - the second is a prefix
    examples = (
        {"customer": names[who], "after": str(ds[at]), "missing": int(missing[at])} for at, who in found
    )
    findings.add("gap", int(missing[gaps].sum()), examples)
    return step


def _medians(values: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each value's group's median (the lower one of two), of groups that lie one after the other."""
    group = np.repeat(np.arange(len(counts)), counts)
    ranked = values[np.lexsort((values, group))]
    return ranked[np.cumsum(counts) - counts + (counts - 1) // 2][group]


def _examples(readings: Readings, rows: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
    for index in rows[:EXAMPLES].tolist():
        code = readings.code[index]
        yield {
            "file": readings.files[readings.file[index]],
            "row": int(readings.row[index]),
            "customer": readings.customers[code] if code >= 0 else None,
            "timestamp": str(readings.ds[index]),
            "value": float(readings.y[index]),
        }
