from __future__ import annotations

from trainyard.execution.tuning.early_stopping import MedianRule


def rule(maximize: bool) -> MedianRule:
    made = MedianRule(maximize)
    for run in ([1.0, 3.0], [2.0, 4.0], [3.0, 9.0], [5.0]):
        made.add(run)
    return made


def test_worse_than_the_median_of_the_running_averages_stops() -> None:
    # after epoch 1 the averages are 1, 2, 3, 5: the median is 2.5; after epoch 2 they are 2, 3, 6
    assert rule(True).stops([2.4]) and not rule(True).stops([2.6])
    assert rule(False).stops([2.6]) and not rule(False).stops([2.4])
    assert rule(True).stops([9.0, 2.9]) and not rule(True).stops([0.0, 3.1])


def test_three_trials_must_have_got_as_far() -> None:
    assert not rule(True).stops([0.0, 0.0, 0.0])
    few = MedianRule(True)
    few.add([1.0])
    few.add([1.0])
    assert not few.stops([0.0])
    few.add([1.0])
    assert few.stops([0.0])
