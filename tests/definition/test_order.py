from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.document import parse
from trainyard.definition.order import Order, find_cycle, order


def step(name: str, *waits: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Training", "Arguments": {}, "DependsOn": list(waits)}


def condition(name: str, then: list[Any], otherwise: list[Any], *waits: str) -> dict[str, Any]:
    arguments = {"Conditions": [], "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, "DependsOn": list(waits)}


def plan(*steps: dict[str, Any]) -> Order:
    return order(parse({"Steps": list(steps)}))


NESTED = (
    step("Train"),
    condition(
        "Outer",
        [step("Good"), condition("Inner", [step("Best")], [step("Fair")], "Good")],
        [step("Bad")],
        "Train",
    ),
    step("After", "Best"),
    step("Behind", "After"),
    step("Always", "Outer"),
)


def test_every_source_of_a_dependency():
    file = {"PropertyFileName": "R", "OutputName": "o", "FilePath": "r.json"}
    outputs = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "o"}]}}
    report = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "x"}}
    joined = {"Std:Join": {"On": "/", "Values": ["s3:/", {"Std:Join": {"Values": [{"Get": "Steps.A.x"}]}}]}}
    found = plan(
        {**step("Z", "B"), "Arguments": {"deep": [{"uri": joined, "metric": report}]}},
        step("A"),
        step("B"),
        {"Name": "E", "Type": "Processing", "Arguments": outputs, "PropertyFiles": [file]},
        {
            **step("L", {"Step": "A", "Trigger": "Failed"}),
            "Type": "Lambda",
            "FunctionArn": {"Get": "Steps.B.arn"},
        },
    )
    assert found.dependencies["Z"] == {"A", "B", "E"}
    assert found.edges["L"] == {"A": "Failed", "B": "Completed"}
    assert found.sequence == ("A", "B", "E", "Z", "L")


def test_branches_wait_for_their_condition_only():
    found = plan(*NESTED)
    assert found.dependencies["Best"] == {"Inner"}
    assert found.dependencies["Inner"] == {"Outer", "Good"}
    assert found.dependencies["Always"] == {"Outer"}  # the condition, not the steps of its branches
    assert found.branches["Best"] == ("Inner", True)
    assert found.branches["Bad"] == ("Outer", False)
    assert "After" not in found.branches


def test_what_a_branch_not_taken_takes_with_it():
    found = plan(*NESTED)
    assert found.not_taken("Outer", outcome=True) == {"Bad"}
    assert found.not_taken("Outer", outcome=False) == {"Good", "Inner", "Best", "Fair", "After", "Behind"}
    assert found.not_taken("Inner", outcome=False) == {"Best", "After", "Behind"}
    assert found.downstream({"Good"}) == {"Inner", "Best", "Fair", "After", "Behind"}


def test_ready_walks_through_a_run():
    found = plan(*NESTED)
    assert found.ready(set()) == ["Train"]
    assert found.ready({"Train"}) == ["Outer"]
    without = set(found.not_taken("Outer", outcome=True))
    assert found.ready({"Train", "Outer"}, without=without) == ["Good", "Always"]
    assert found.ready({"Train", "Outer"}, without=without | {"Good"}) == ["Always"]  # Good is running
    done = {"Train", "Outer", "Good", "Always", "Inner"}
    without |= found.not_taken("Inner", outcome=False)
    assert found.ready(done, without=without) == ["Fair"]
    assert found.ready(done | {"Fair"}, without=without) == []


def test_triggers():
    found = plan(
        step("A"),
        step("OnFailure", {"Step": "A", "Trigger": "Failed"}),
        step("OnStop", {"Step": "A", "Trigger": "Stopped"}),
        step("Finally", {"Step": "A", "Trigger": "Any"}),
        step("Next", "A"),
    )
    assert found.ready({"A"}) == ["Finally", "Next"]
    assert found.ready(set(), failed={"A"}) == ["OnFailure", "Finally"]
    assert found.ready(set(), stopped={"A"}) == ["OnStop", "Finally"]


def test_a_cycle_is_named_from_its_first_step():
    assert find_cycle({"A": {}, "B": {"A": "Completed"}}) is None
    waits = {"Behind": {"C": ""}, "A": {}, "B": {"A": "", "D": ""}, "C": {"B": ""}, "D": {"C": ""}}
    assert find_cycle(waits) == ("C", "B", "D", "C")


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_any_acyclic_graph_is_ordered_and_drained(seed, size):
    choice = random.Random(seed)
    names = [f"S{index}" for index in range(size)]
    steps = [step(name, *(w for w in names[:i] if choice.random() < 0.3)) for i, name in enumerate(names)]
    choice.shuffle(steps)
    found = plan(*steps)
    done: set[str] = set()
    for name in found.sequence:
        assert found.dependencies[name] <= done
        assert name in found.ready(done)
        done.add(name)
    assert len(done) == size
    assert found.ready(done) == []
    assert found == plan(*steps)
