from __future__ import annotations

import statistics

import pytest

from trainyard.execution.tuning.ranges import read_ranges
from trainyard.execution.tuning.search import Search

MIXED = read_ranges(
    "R",
    {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "keep", "MinValue": "0", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
        ],
        "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "9"}],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
    },
)
LINE = read_ranges("R", {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]})


def drawn(strategy, number, seed=7):
    search = Search(MIXED, strategy, maximize=True, seed=seed)
    found = []
    for _ in range(number):
        proposal = search.propose()
        found.append(proposal.values)
        search.learn(proposal, float(proposal.values["depth"]))
    return found


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Hyperband"])
def test_the_seed_repeats_and_ranges_hold(strategy) -> None:
    values = drawn(strategy, 25)
    assert values == drawn(strategy, 25) != drawn(strategy, 25, seed=8)
    assert all(0.0001 <= float(each["rate"]) <= 1 and 0 <= float(each["keep"]) <= 0.999 for each in values)
    assert {each["kind"] for each in values} == {"a", "b"}
    assert all(each["depth"] in "123456789" for each in values)


def test_scales_are_searched_evenly() -> None:
    values = drawn("Random", 400)
    assert statistics.median(float(each["rate"]) for each in values) == pytest.approx(0.01, rel=0.5)
    assert 1 - statistics.median(float(each["keep"]) for each in values) == pytest.approx(0.0316, rel=0.5)


def test_bayesian_goes_where_it_was_good() -> None:
    assert statistics.fmean(int(each["depth"]) for each in drawn("Bayesian", 40)[20:]) > 7


def test_the_grid_has_every_point_once() -> None:
    kinds = {
        "CategoricalParameterRanges": [
            {"Name": "a", "Values": ["1", "2"]},
            {"Name": "b", "Values": ["x", "y"]},
        ]
    }
    search = Search(read_ranges("R", kinds), "Grid", maximize=True)
    points = [search.propose().values for _ in range(4)]
    assert sorted(map(tuple, map(dict.values, points))) == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert search.propose() is None


def test_earlier_trials_inform_and_points_outside_do_not() -> None:
    search = Search(LINE, "Bayesian", maximize=True, seed=1)
    assert not search.remember({"x": "1.5"}, 9.0) and not search.remember({}, 9.0)
    assert all(search.remember({"x": str(value / 40)}, -abs(value / 40 - 0.7)) for value in range(41))
    assert statistics.median(float(search.propose().values["x"]) for _ in range(9)) == pytest.approx(
        0.7, abs=0.15
    )


def test_given_points_come_first() -> None:
    search = Search(LINE, "Random", maximize=True, seed=1)
    assert search.try_first({"x": "0.25"}) and not search.try_first({"x": "2"})
    assert search.propose().values == {"x": "0.25"}
    assert search.propose().values != {"x": "0.25"}


def test_hyperband_stops_the_worse_after_the_least_and_all_past_the_most() -> None:
    search = Search(LINE, "Hyperband", maximize=True, seed=1, resource=(2, 9))
    ends = {}
    for quality in [*range(30, 0, -1)]:  # ever worse
        proposal = search.propose()
        ends[quality] = next(
            (epoch for epoch in range(1, 11) if search.report(proposal, epoch, quality * epoch)), None
        )
        search.learn(proposal, float(quality))
    assert min(ends.values()) == 2 and ends[30] == 10  # the best one runs until it is past the most
    assert sum(end < 9 for end in ends.values()) > 10


def test_other_strategies_leave_trials_alone() -> None:
    search = Search(LINE, "Random", maximize=True)
    proposal = search.propose()
    assert not any(search.report(proposal, epoch, 0.0) for epoch in range(1, 50))
