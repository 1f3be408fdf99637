"""Every check of ``train`` passes for a program that keeps the contract and finds the one that does not."""

from __future__ import annotations

import pytest

from tests.preflight.conftest import rules
from trainyard.preflight.example import trains
from trainyard.preflight.training import (
    TRAINING,
    isolated,
    out_of_range,
    stops_and_goes_on,
    unusable_data,
    wrong_type,
)


def test_a_program_that_keeps_the_contract(toy_bench):
    bench = toy_bench()
    assert {check.name: rules(check.run, bench) for check in TRAINING} == {
        check.name: set() for check in TRAINING
    }
    assert bench.trained.metrics.count("steps:done") == 20
    assert not bench.engine.run(
        "container", "ls", "--all", "--quiet", "--filter", f"label=trainyard.store={bench.store.home}"
    )


@pytest.mark.parametrize(
    ("fault", "check", "found"),
    [
        ("no-failure-file", out_of_range, "no-failure-file"),
        ("no-failure-file", wrong_type, "no-failure-file"),
        ("exit-0", unusable_data, "exit-0"),
        ("ignores-sigterm", stops_and_goes_on, "ignores-sigterm"),
        ("no-checkpoint", stops_and_goes_on, "no-checkpoint"),
        ("begins-anew", stops_and_goes_on, "resume"),
        ("needs-root", isolated, "isolated"),
    ],
)
def test_each_fault_of_a_program_is_found(toy_bench, fault, check, found):
    bench = toy_bench(fault)
    if fault == "ignores-sigterm":
        bench.grace = 0.3  # the example would end by itself within the other one
    assert rules(trains, bench) == set()
    assert rules(check, bench) == {found}


@pytest.mark.parametrize(("fault", "found"), [("no-model", "no-model"), ("silent", "metric")])
def test_an_example_without_model_or_metric(toy_bench, fault, found):
    assert rules(trains, toy_bench(fault)) == {found}
