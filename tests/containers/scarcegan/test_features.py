"""Features of histories that a loop over users would get, whatever order, gaps and lengths they come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def rows(histories):
    """code, day, values of {user: {day: counters}}."""
    flat = [(user, day, list(each)) for user, days in histories.items() for day, each in days.items()]
    code, day, values = zip(*flat, strict=True)
    return np.array(code), np.array(day), np.array(values, float)


def naive(features, history):
    """One user's features, each by its definition and with no other user near."""
    first = min(history)
    day = np.array(sorted(history)) - first
    days = day[-1]
    bends = np.linspace(0, 0.9 * days, min(10, days // 3) + 1)[1:]
    out = []
    for counter in range(len(history[first])):
        y = np.array([history[first + at][counter] for at in day], float)
        scale = np.abs(y).max() or 1.0
        basis = np.column_stack(
            [np.ones(len(day)), day / days, *(np.maximum(day - at, 0) / days for at in bends)]
        )
        inverse = np.linalg.inv(basis.T @ basis + np.diag([1e-6, 1e-6] + [0.3] * len(bends)))
        weights = inverse @ basis.T @ (y / scale)
        around = y / scale - basis @ weights
        grid = np.zeros(days + 1)
        grid[day] = around
        power = np.abs(np.fft.rfft(grid)[1:]) ** 2
        best = np.argsort(-power, kind="stable")[:3]
        error = np.sqrt(
            np.diag(inverse @ basis.T @ basis @ inverse) * (around**2).sum() / max(len(day) - 2, 1)
        )
        change = [
            at
            for at, bend, width in zip(bends, weights[2:], error[2:], strict=True)
            if abs(bend) > max(2 * width, 0.01)
        ]
        stretches = np.diff([0, *change, days])
        slopes = np.cumsum(weights[1:]) * scale / days
        out += [
            *np.where(power[best] > 1e-12 * len(day) ** 2, (days + 1) / (best + 1), 0),
            weights[0] * scale, slopes[0], stretches.mean(), stretches.std(), slopes.mean(), slopes.std(),
            weights[2:].mean() * scale / days,
        ]  # fmt: skip
    return np.array(out)


def players(count, seed=0, counters=2):
    """Histories of different starts, lengths and gaps."""
    generator = np.random.default_rng(seed)
    found = {}
    for user in range(count):
        first, span = generator.integers(-40, 40), generator.integers(12, 50)
        days = np.flatnonzero(generator.random(span) < generator.choice([1.0, 0.8])) + first
        level = generator.lognormal(2, 2, counters)
        found[user] = {int(day): generator.poisson(level) + 0.25 for day in days}
    return {user: days for user, days in found.items() if len(days) >= 10}


def test_all_users_at_once_are_each_user_alone(module):
    features = module("features")
    histories = players(60)
    extracted = features.extract(*rows(histories))
    assert extracted.code.tolist() == sorted(histories) and len(extracted.short) == 0
    assert len(features.columns(["a", "b"])) == extracted.values.shape[1] == 20
    for user, values in zip(extracted.code.tolist(), extracted.values, strict=True):
        np.testing.assert_allclose(values, naive(features, histories[user]), rtol=1e-7, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_and_repeated_rows_change_nothing(module, seed):
    features = module("features")
    code, day, values = rows(players(6, seed))
    once = features.extract(code, day, values)
    generator = np.random.default_rng(seed)
    order = generator.permutation(
        np.append(np.arange(len(code)), np.repeat(generator.integers(len(code)), 3))
    )
    again = features.extract(code[order], day[order], values[order])
    assert again.code.tolist() == once.code.tolist()
    np.testing.assert_allclose(again.values, once.values, rtol=1e-9, atol=1e-9)


def test_rows_of_one_day_are_their_mean_in_any_order(module):
    code, day = np.array([1, 0, 1, 1, 0, 1]), np.array([3, 5, 3, 2, 5, 3])
    values = np.array([[0.1, 1], [1.0, 1], [0.2, 1], [9.0, 1], [2.0, 1], [0.3, 1]])
    found = set()
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 4, 1, 5, 3], [2, 5, 0, 1, 3, 4]):
        merged = module("features").one_row_a_day(code[order], day[order], values[order])
        assert (merged[0].tolist(), merged[1].tolist()) == ([0, 1, 1], [5, 2, 3])
        assert merged[2][:, 0].tolist() == pytest.approx([1.5, 9.0, 0.2])
        found.add(merged[2].tobytes())
    assert len(found) == 1, "to the last bit"


def test_short_histories_are_told(module):
    features = module("features")
    histories = {7: {day: [1.0] for day in range(9)}, 3: {day: [1.0] for day in range(0, 20, 2)}}
    extracted = features.extract(*rows(histories))
    assert (extracted.code.tolist(), extracted.short.tolist(), extracted.short_days.tolist()) == (
        [3],
        [7],
        [9],
    )
    nobody = features.extract(*(part[:0] for part in rows(histories)))
    assert nobody.values.shape == (0, 10) and nobody.short.tolist() == []


def test_a_rhythm_a_trend_and_a_bend_are_found(module):
    features = module("features")
    day = np.arange(70)
    weekly = 10 + 3 * np.cos(2 * np.pi * day / 7)
    rising = 5 + 0.5 * day
    late = np.where(day < 55, 4.0, 4.0 + 2.0 * (day - 55))
    values = features.extract(np.zeros(70, int), day, np.column_stack([weekly, rising, late])).values[0]
    found = dict(zip(features.columns(["weekly", "rising", "late"]), values.tolist(), strict=True))
    assert found["weekly_period_1"] == pytest.approx(7)
    assert found["rising_offset"] == pytest.approx(5, rel=0.01)
    assert found["rising_base_rate"] == pytest.approx(0.5, rel=0.02)
    assert found["rising_growth_mean"] == pytest.approx(0.5, rel=0.02)
    assert found["late_growth_std"] > 0.3 and found["late_delta_mean"] > 0.1
    assert found["late_change_days_mean"] < 69
    assert found["weekly_change_days_mean"] == pytest.approx(69), "no bend but the rhythm"


@pytest.mark.parametrize("level", [0.0, 3.0, 1e15, -7.5])
def test_a_constant_counter_has_neither_periods_nor_changes(module, level):
    values = module("features").extract(np.zeros(30, int), np.arange(30), np.full((30, 1), level)).values[0]
    expected = [0, 0, 0, level, 0, 29, 0, 0, 0, 0]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=abs(level) * 1e-4)
    assert values[:3].tolist() == [0, 0, 0]


def test_days_too_far_apart(module):
    features = module("features")
    day = np.append(np.arange(10), 20_000)
    with pytest.raises(features.TooLong) as raised:
        features.extract(np.full(11, 4), day, np.ones((11, 1)))
    assert raised.value.args == (4, 0, 20_000)


def test_ten_days_in_eleven_years(module):
    features = module("features")
    day = np.append(np.arange(9), features.MAX_SPAN - 1)
    values = features.extract(np.zeros(10, int), day, np.arange(10.0)[:, None]).values
    assert np.isfinite(values).all() and np.abs(values[0, 3:5]).max() < 100
