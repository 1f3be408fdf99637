"""Telemetry -> one row of features per user: ten for each counter, all users of a kind of history at once.

Users whose history spans equally many days share one array [user, day, counter] and one trend basis, so that
trends are one matrix product and periodograms one FFT. A day without a row is unknown, not zero: it has no weight
in the trend and none in the periodogram. Numpy only: serving computes the same features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PER_COUNTER = (
    "period_1",  # days, of the three strongest frequencies around the trend; 0 where there is none
    "period_2",
    "period_3",
    "offset",  # the trend at the first day, in the counter's unit
    "base_rate",  # its first slope, per day
    "change_days_mean",  # days from one change point to the next, first and last day included
    "change_days_std",
    "growth_mean",  # of the trend's slopes over all its stretches, per day
    "growth_std",
    "delta_mean",  # of the changes of slope
)
MIN_DAYS = 10
MAX_SPAN = 4000  # days, eleven years
LARGEST = 1e30  # its square can still be summed; beyond are marks such as 1.7976931348623157e308
CANDIDATES = 10  # places where a trend may bend, evenly over the first nine tenths
_REACH = 0.9
_RIDGE = 0.3  # on changes of slope, of a counter scaled to 1 over a history scaled to 1
_LEAST_RIDGE = 1e-6  # on offset and base rate: few days far apart leave them open
_SIGNIFICANT = 2.0  # standard errors from which on a bend is a change point,
_LEAST_BEND = 0.01  # if it is as large as this as well, which is what Prophet draws
_CELLS = 1_500_000  # values that are worked on at once: a few arrays of this size stay in memory


class TooLong(Exception):
    """Users whose first and last day lie too far apart; the arguments are a user's code and its days."""


@dataclass(frozen=True)
class Extracted:
    """``values`` [n, columns] of the users ``code``, ascending; ``short`` had too few ``short_days`` each.

    ``merged`` rows were further ones of their user's day, ``missing`` days lie between others and have no row.
    """

    code: Array
    values: Array
    short: Array
    short_days: Array
    merged: int = 0
    missing: int = 0


def columns(counters: Sequence[str]) -> list[str]:
    """The names of the features, in order: those of the first counter, then those of the next."""
    return [f"{counter}_{feature}" for counter in counters for feature in PER_COUNTER]


def extract(code: Array, day: Array, values: Array) -> Extracted:
    """Features of every user with ten days or more; rows may come in any order.

    ``code`` (int) says whose row it is, ``day`` (int) counts days, ``values`` is [row, counter], finite.
    Of several rows for one user and day the mean counts. Raises TooLong.
    """
    rows = len(code)
    code, day, values = one_row_a_day(code, day, values)
    merged = rows - len(code)
    if not rows:
        empty = np.empty(0, np.int64)
        return Extracted(empty, np.empty((0, values.shape[1] * len(PER_COUNTER))), empty, empty)
    starts = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    counts = np.diff(np.append(starts, len(code)))
    spans = day[starts + counts - 1] - day[starts] + 1
    enough = counts >= MIN_DAYS
    if (spans[enough] > MAX_SPAN).any():
        worst = np.flatnonzero(enough & (spans > MAX_SPAN))[0]
        first = starts[worst]
        raise TooLong(int(code[first]), int(day[first]), int(day[first + counts[worst] - 1]))
    out = np.empty((len(starts), values.shape[1] * len(PER_COUNTER)))
    for span in np.unique(spans[enough]).tolist():
        users = np.flatnonzero(enough & (spans == span))
        size = max(_CELLS // (span * values.shape[1]), 1)
        for some in np.array_split(users, -(-len(users) // size)):
            dense, there = _dense(day, values, starts[some], counts[some], span)
            out[some] = of_block(dense, there).reshape(len(some), -1)
    missing = int((spans - counts)[enough].sum())
    short = ~enough
    return Extracted(code[starts[enough]], out[enough], code[starts[short]], counts[short], merged, missing)


def one_row_a_day(code: Array, day: Array, values: Array) -> tuple[Array, Array, Array]:
    """The rows by user and day, those of the same user and day merged into their mean."""
    code, day = code.astype(np.int64), day.astype(np.int64)
    if not len(code):
        return code, day, values
    ascending = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (day[1:] >= day[:-1]))
    if not ascending.all():
        code, day, values = _ordered(np.lexsort((day, code)), code, day, values)
    new = np.append(True, (code[1:] != code[:-1]) | (day[1:] != day[:-1]))
    if new.all():
        return code, day, values
    # a sum depends on the order in which its rows came, if only by its last bit
    code, day, values = _ordered(np.lexsort((*values.T, day, code)), code, day, values)
    first = np.flatnonzero(new)
    rows = np.diff(np.append(first, len(code)))
    return code[first], day[first], np.add.reduceat(values, first, axis=0) / rows[:, None]


def of_block(values: Array, there: Array) -> Array:
    """Features [user, counter, 10] of counters [user, day, counter], 0 where ``there`` [user, day] is False."""
    users, span, counters = values.shape
    scale = np.abs(values).max(axis=1)
    scaled = values / np.where(scale > 0, scale, 1)[:, None]
    weight = there.astype(np.float64)
    basis = _basis(span)
    size = basis.shape[1]
    products = (basis[:, :, None] * basis[:, None, :]).reshape(span, -1)
    gram = (weight @ products).reshape(users, size, size)
    ridge = np.full(size, _RIDGE)
    ridge[:2] = _LEAST_RIDGE
    inverse = np.linalg.inv(gram + np.diag(ridge))
    moments = np.matmul(basis.T, scaled)  # [user, basis, counter]; days that are not there hold zeros
    weights = np.matmul(inverse, moments)
    around = (scaled - np.matmul(basis, weights)) * weight[:, :, None]
    freedom = np.maximum(weight.sum(axis=1) - 2, 1)
    noise = (around**2).sum(axis=1) / freedom[:, None]
    # how far weights stray by noise alone: the ridge keeps them nearer to zero than their uncertainty says
    spread = (np.matmul(inverse, gram) * inverse).sum(axis=2)
    error = np.sqrt(spread[:, :, None] * noise[:, None])
    days = span - 1
    found = np.empty((users, counters, len(PER_COUNTER)))
    found[..., 0:3] = _periods(around, weight.sum(axis=1))
    found[..., 3] = weights[:, 0] * scale
    found[..., 4] = weights[:, 1] * scale / days
    bends = np.abs(weights[:, 2:]) > np.maximum(_SIGNIFICANT * error[:, 2:], _LEAST_BEND)
    found[..., 5], found[..., 6] = _between(bends, days)
    slopes = weights[:, 1:].cumsum(axis=1) * (scale / days)[:, None]
    found[..., 7], found[..., 8] = slopes.mean(axis=1), slopes.std(axis=1)
    found[..., 9] = weights[:, 2:].mean(axis=1) * scale / days
    return found


def _ordered(order: Array, *arrays: Array) -> tuple[Array, ...]:
    return tuple(array[order] for array in arrays)


def _dense(day: Array, values: Array, starts: Array, counts: Array, span: int) -> tuple[Array, Array]:
    """The users' rows as [user, day, counter], zero where none is, and where one is."""
    if (counts == span).all():
        return values[starts[:, None] + np.arange(span)], np.ones((len(starts), span), bool)
    user = np.repeat(np.arange(len(starts)), counts)
    rows = np.arange(len(user)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    at = day[rows] - day[starts][user]
    dense, there = np.zeros((len(starts), span, values.shape[1])), np.zeros((len(starts), span), bool)
    dense[user, at], there[user, at] = values[rows], True
    return dense, there


def _bends(days: int) -> Array:
    """Where in a history of 0 to ``days`` a trend may bend: at most each third day."""
    count = min(CANDIDATES, days // 3)
    return np.linspace(0, _REACH * days, count + 1)[1:]


def _basis(span: int) -> Array:
    """[day, 2 + bends]: 1, the time from 0 to 1, and for each bend the time since it."""
    days = span - 1
    time = np.arange(span) / days
    since = np.maximum(time[:, None] - _bends(days) / days, 0)
    return np.column_stack([np.ones(span), time, since])


def _periods(around: Array, days: Array) -> Array:
    """[user, counter, 3]: the periods of the strongest frequencies, strongest first."""
    span = around.shape[1]
    power = np.abs(np.fft.rfft(np.swapaxes(around, 1, 2))[..., 1:]) ** 2
    power[power < 1e-12 * days[:, None, None] ** 2] = 0  # what rounding leaves of a straight line
    best = np.argsort(-power, axis=2, kind="stable")[..., :3]
    return np.where(np.take_along_axis(power, best, 2) > 0, span / (best + 1), 0.0)


def _between(bends: Array, days: int) -> tuple[Array, Array]:
    """Mean and standard deviation of the days between change points; ``bends`` is [user, candidate, counter].

    With first and last day as ends there is always one stretch more than change points, ``days`` long together.
    """
    stretches = bends.sum(axis=1) + 1
    squares = np.zeros(stretches.shape)
    last = np.zeros(stretches.shape)
    for index, at in enumerate(_bends(days)):
        squares += np.where(bends[:, index], (at - last) ** 2, 0)
        last = np.where(bends[:, index], at, last)
    squares += (days - last) ** 2
    mean = days / stretches
    return mean, np.sqrt(np.maximum(squares / stretches - mean**2, 0))
