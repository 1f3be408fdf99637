from __future__ import annotations

import re

import pytest

from trainyard.definition.document import parse
from trainyard.errors import NotFound, UsageError
from trainyard.execution.selection import Selection, check


def model(name: str, *waits: str, uses: str = ""):
    data = {"PrimaryContainer": {"ModelPackageName": {"Get": f"Steps.{uses}.ModelArn"}}} if uses else {}
    return {"Name": name, "Type": "Model", "Arguments": data, "DependsOn": list(waits)}


@pytest.fixture
def steps():
    """A -> B -> C -> D by their results; E waits for D, and X for nothing."""
    chain = [model("A"), model("B", uses="A"), model("C", uses="B"), model("D", uses="C")]
    loop = {"Name": "Loop", "Type": "ForEach", "Arguments": {
        "IterableItems": ["a"], "MaxConcurrency": 1, "ForEachBody": [model("Body")]}}  # fmt: skip
    return [*chain, model("E", "D"), model("X"), loop]


@pytest.mark.parametrize(
    ("selected", "kind", "message"),
    [
        ((), UsageError, "0 steps are selected; possible: 1 to 50"),
        (("A", "Nothing"), NotFound, "no step 'Nothing' in p; there are: A, B"),
        (("B", "D"), UsageError, "C lie on the way between B, D; select them too"),
        (("A", "E"), UsageError, "B, C, D lie on the way"),
        (("Body",), UsageError, "'Body' lies in the body of a ForEach step"),
    ],
)
def test_what_cannot_be_selected(steps, definition, selected, kind, message) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        check(Selection(selected), parse(definition(*steps)), "p")


def test_selected_steps_run_on_the_results_of_a_source(store, make_executor, steps, definition) -> None:
    document = definition(*steps)
    old = make_executor().start(document, "p", {})
    make_executor().start(document, "p", {})
    finished = make_executor().start(document, "p", {}, selected=Selection(("C", "D"), old.execution))
    assert finished.status == "Succeeded"
    rows = {row["name"]: row for row in store.state.steps(finished.execution)}
    assert set(rows) == {"B", "C", "D"}  # A is not needed, E is behind
    assert [rows[name]["selected_from"] for name in "BCD"] == [old.execution, None, None]
    assert rows["B"]["started"] == rows["B"]["ended"]
    arn = store.state.step(old.execution, "B")["result"]["ModelArn"]
    assert rows["C"]["result"]["PrimaryContainer"]["ModelPackageName"] == arn


def test_only_results_that_are_used_must_be_there(store, make_executor, steps, definition) -> None:
    document = definition(*steps)
    alone = make_executor().start(document, "p", {}, selected=Selection(("E",)))
    assert alone.status == "Succeeded"  # it waits for D, whose result it has no use for
    with pytest.raises(NotFound, match="'C' needs the result of 'B', which never succeeded here"):
        make_executor().start(document, "p", {}, selected=Selection(("C",)))
    source = alone.execution
    with pytest.raises(NotFound, match=f"'B', which did not succeed in execution {source}"):
        make_executor().start(document, "p", {}, selected=Selection(("C",), source))
    with pytest.raises(UsageError, match="is one of the pipeline 'p'; give one of 'other'"):
        make_executor().start(document, "other", {}, selected=Selection(("E",), source))
    with pytest.raises(NotFound, match="no execution 'none'"):
        make_executor().start(document, "p", {}, selected=Selection(("E",), "none"))
    assert len(store.state.executions()) == 1


def test_a_selected_condition_takes_no_branch_and_resume_keeps_the_selection(
    store, make_executor, definition
) -> None:
    bad = {"Name": "Bad", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    arguments = {"Conditions": [], "IfSteps": [bad], "ElseSteps": [model("Other")]}
    document = definition(model("A"), {"Name": "C", "Type": "Condition", "Arguments": arguments})
    finished = make_executor().start(document, "p", {}, selected=Selection(("C",)))
    assert [row["name"] for row in store.state.steps(finished.execution)] == ["C"]
    failed = make_executor().start(document, "p", {}, selected=Selection(("C", "Bad")))
    assert (failed.status, failed.reason) == ("Failed", "step Bad: no")
    assert make_executor().resume(failed.execution).status == "Failed"
    rows = {row["name"]: row["attempts"] for row in store.state.steps(failed.execution)}
    assert rows == {"C": 1, "Bad": 2}
