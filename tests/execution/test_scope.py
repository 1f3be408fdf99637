from __future__ import annotations

from dataclasses import replace

import pytest

from trainyard.definition.document import parse
from trainyard.errors import ExpressionError
from trainyard.execution.s3 import parse_uri
from trainyard.execution.scope import ExecutionScope, Iteration


@pytest.fixture
def scope(store, processing, definition):
    files = [{"PropertyFileName": "F", "OutputName": "out", "FilePath": "in/f.json"}]
    step = processing("Eval", "s3://b/c/", outputs={"out": "s3://b/out"}, PropertyFiles=files)
    store.state.add_execution("e", "p", {}, {}, {})
    store.state.start_step("e", "Eval", "Processing")
    store.state.update_step("e", "Eval", result=step["Arguments"])
    store.objects.put_bytes(b'{"a": [1, 2]}', parse_uri("s3://b/out/in/f.json"))
    return ExecutionScope(
        store=store, document=parse(definition(step)), parameters={"N": 3}, execution_id="e", pipeline="Pipe",
        started=0.0, job="job-1",
    )  # fmt: skip


def test_values(scope) -> None:
    assert scope.parameter("N") == 3
    assert scope.execution("PipelineExecutionId") == "e"
    assert scope.execution("PipelineExecutionArn").endswith(":pipeline/pipe/execution/e")
    assert scope.execution("StartDateTime") == "1970-01-01T00:00:00Z"
    assert scope.execution("TrainingJobName") == "job-1"
    assert scope.experiment("TrialName") == "e"
    path = ("ProcessingOutputConfig", "Outputs", "out", "S3Output", "S3Uri")
    assert scope.step_property("Eval", path) == "s3://b/out"
    assert scope.property_file("Eval", "F") == {"a": [1, 2]}
    assert scope.s3_json("s3://b/out/in/f.json") == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("ask", "fragment"),
    [
        (lambda scope: scope.parameter("M"), "no parameter 'M'; there are: N"),
        (lambda scope: scope.execution("Nothing"), "Execution.Nothing has no value"),
        (lambda scope: scope.step_property("Other", ("A",)), "step 'Other' has no result"),
        (lambda scope: scope.property_file("Eval", "G"), "no property file 'G'; it has: F"),
        (lambda scope: scope.s3_json("s3://b/none"), "s3://b/none cannot be read as JSON"),
    ],
)
def test_what_has_no_value_says_why(scope, ask, fragment) -> None:
    with pytest.raises(ExpressionError, match=fragment):
        ask(scope)


def test_a_broken_property_file_says_so(scope, store) -> None:
    store.objects.put_bytes(b"{", parse_uri("s3://b/out/in/f.json"))
    with pytest.raises(ExpressionError, match="cannot be read as JSON"):
        scope.property_file("Eval", "F")


def test_in_a_for_each_step_names_mean_the_steps_of_the_same_iteration(scope, store) -> None:
    turn = Iteration("Loop", 2, '{"a": {"b": 5}}', frozenset({"Eval"}))
    inside = replace(scope, iteration=turn)
    assert inside.current_item(("a", "b")) == 5
    assert inside.current_item(()) == '{"a": {"b": 5}}'
    assert turn.context == {"ParentStepName": "Loop", "Index": 2, "Item": '{"a": {"b": 5}}'}
    store.state.start_step("e", "Eval-2", "Processing", result={"A": 1})
    assert (inside.step_property("Eval", ("A",)), inside.recorded("Other")) == (1, "Other")
    with pytest.raises(ExpressionError, match="the item 'x' is not JSON"):
        replace(scope, iteration=Iteration("Loop", 0, "x", frozenset())).current_item(("a",))
    with pytest.raises(ExpressionError, match="only while a ForEach step runs"):
        scope.current_item(())
