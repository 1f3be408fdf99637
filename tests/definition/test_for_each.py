from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from trainyard.definition.document import parse
from trainyard.definition.for_each import selector_field
from trainyard.definition.order import body_edges
from trainyard.errors import DefinitionError

BODY = [{"Name": "A", "Type": "Training", "Arguments": {"x": {"Get": "ForEach.CurrentItem"}}},
        {"Name": "B", "Type": "Model", "Arguments": {"y": {"Get": "Steps.A.z"}}}]  # fmt: skip
GOOD = {"IterableItems": ["a", 1, {"Get": "Parameters.P"}], "MaxConcurrency": 50, "ForEachBody": BODY}
FIELD = {"Get": "IterationOutput.A.FinalMetricDataList[0].Value"}


def loop(*others: dict[str, Any], **changes: Any) -> dict[str, Any]:
    arguments = {key: value for key, value in {**GOOD, **changes}.items() if value != "absent"}
    steps = [{"Name": "Loop", "Type": "ForEach", "Arguments": arguments}, *others]
    return {"Parameters": [{"Name": "P", "Type": "String"}], "Steps": steps}


def test_a_good_one() -> None:
    selector = {"Pick": "MaxBy", "Field": FIELD}
    document = parse(loop(IterableItems={"Get": "Parameters.P"}, Selector=selector))
    assert body_edges(document.by_name["Loop"]) == {"A": {}, "B": {"A": "Completed"}}
    assert selector_field(selector).name == "A"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"IterableItems": []}, "IterableItems: 0 items; possible: 1 to 100"),
        ({"IterableItems": ["x"] * 101}, "101 items"),
        ({"IterableItems": "absent"}, "IterableItems: must be a list, not null"),
        ({"IterableItems": "[1]"}, "IterableItems: must be a list, not a string"),
        (
            {"IterableItems": ["a", None]},
            r"IterableItems\[1\]: null is neither text, a number nor a reference",
        ),
        ({"IterableItems": [{"a": 1}]}, r'IterableItems\[0\]: \{"a": 1\} is neither'),
        ({"MaxConcurrency": 51}, "51 is out of range; possible: 1 to 50"),
        ({"MaxConcurrency": "absent"}, "MaxConcurrency: missing"),
        ({"MaxConcurrency": True}, "MaxConcurrency: must be an integer"),
        ({"ForEachBody": []}, "ForEachBody: missing or empty"),
        ({"Selector": {"Pick": "Max", "Field": FIELD}}, "unknown pick 'Max'; .*possible: MaxBy, MinBy"),
        ({"Selector": {"Pick": "MaxBy", "Field": {"Get": "Parameters.P"}}}, "Field: .* is not .*: A, B"),
        ({"Selector": {"Pick": "MaxBy", "Field": {"Get": "IterationOutput.C.x"}}}, "of the body: A, B"),
        ({"Other": 1}, "unknown key 'Other'"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse(loop(**changes))


def test_names_that_children_will_have_are_taken() -> None:
    other = {"Name": "A-3", "Type": "Model", "Arguments": {}}
    with pytest.raises(DefinitionError, match="step 'A-3': steps of ForEach 'Loop' are recorded as A-0, A-1"):
        parse(loop(other))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_the_sdk_writes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is built with the SageMaker Python SDK v3, as a user would."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # importing the SDK makes clients
    try:
        for_each = import_module("sagemaker.mlops.workflow.for_each_step")
        callback_step = import_module("sagemaker.mlops.workflow.callback_step")
        utilities = import_module("sagemaker.core.workflow.utilities")
        parameters = import_module("sagemaker.core.workflow.parameters")
    except ImportError:
        pytest.skip("the SageMaker Python SDK v3 is not installed")
    body = callback_step.CallbackStep(
        name="Ask", sqs_queue_url="http://x/q", inputs={"item": for_each.CurrentItem().name},
        outputs=[callback_step.CallbackOutput("score", callback_step.CallbackOutputTypeEnum.Float)],
    )  # fmt: skip
    selector = for_each.ForEachSelector("MinBy", for_each.IterationOutput(body).OutputParameters["score"])
    items = parameters.ParameterString("P")
    step = for_each.ForEachStep("Loop", items, max_concurrency=3, for_each_body=[body], selector=selector)
    request = utilities.list_to_request([step])

    def plain(value: Any) -> Any:
        return value.expr if hasattr(value, "expr") else str(value)

    document = parse(
        {
            "Parameters": [{"Name": "P", "Type": "String"}],
            "Steps": json.loads(json.dumps(request, default=plain)),
        }
    )
    found = document.by_name["Loop"]
    assert found.arguments["MaxConcurrency"] == 3
    assert selector_field(found.arguments["Selector"]).path == ("OutputParameters", "score")
