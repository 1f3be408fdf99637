from __future__ import annotations

import pytest

from trainyard.execution.tuning.completion import Criteria, converged, not_improving


@pytest.mark.parametrize(
    ("values", "maximize", "count"),
    [
        ([], True, 0),
        ([0.5], True, 0),
        ([0.5, 0.502, 0.503], True, 2),  # less than 1 % each
        ([0.5, 0.4, 0.6, 0.5], True, 1),
        ([0.5, 0.4, 0.6], False, 1),
        ([-1.0, -1.0, -0.9], True, 0),
        ([0.0, 0.0, 0.0], True, 2),
    ],
)
def test_trials_since_an_improvement_by_one_percent(values, maximize, count) -> None:
    assert not_improving(values, maximize) == count


def test_criteria() -> None:
    target = Criteria(target=0.9)
    assert target.met([0.5, 0.91], True) and not target.met([0.5, 0.89], True)
    assert target.met([0.5], False) and not target.met([1.0], False)
    stuck = Criteria(not_improving=3)
    assert stuck.met([1.0, 0.9, 0.9, 0.9], True) and not stuck.met([1.0, 0.9, 0.9], True)
    assert not Criteria().met([1.0] * 100, True)


def test_convergence_needs_ten_trials_and_half_of_them() -> None:
    assert not converged([1.0] * 10, True) and converged([1.0] * 11, True)
    climbing = [float(value) for value in range(1, 31)]
    assert not converged([*climbing, *[1.0] * 29], True) and converged([*climbing, *[1.0] * 30], True)
    assert Criteria(on_convergence=True).met([1.0] * 11, True)
