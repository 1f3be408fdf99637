from __future__ import annotations

from typing import Any

import pytest

from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.targets import at, deliverer, parameters, shaped

EVENT = {"detail": {"Name": "m", "versions": [1, 2], "deep": {"x": True}}, "time": "t"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, EVENT),
        ({"Input": '{"own": 1}'}, {"own": 1}),
        ({"InputPath": "$.detail.deep"}, {"x": True}),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"name": "$.detail.Name", "all": "$.detail.versions", "no": "$.nothing"},
                    "InputTemplate": '{"name": <name>, "text": "is <name>", "all": <all>, "no": <no>}',
                }
            },
            {"name": "m", "text": "is m", "all": [1, 2], "no": None},
        ),
        ({"InputTransformer": {"InputTemplate": "just text"}}, "just text"),
    ],
)
def test_what_a_target_gets(target: dict[str, Any], expected: Any) -> None:
    assert shaped(target, EVENT) == expected


def test_places_in_an_event() -> None:
    assert (at(EVENT, "$.detail.versions[1]"), at(EVENT, "$.detail.versions[7]")) == (2, None)
    assert (at(EVENT, "$"), at(EVENT, "$.time.x")) == (EVENT, None)


def test_parameters_of_a_pipeline_come_from_the_target_or_the_event() -> None:
    listed = [
        {"Name": "A", "Value": "1"},
        {"Name": "B", "Value": "$.detail.Name"},
        {"Name": "C", "Value": "$.detail.deep"},
    ]
    target = {"SageMakerPipelineParameters": {"PipelineParameterList": listed}}
    assert parameters(target, EVENT) == {"A": "1", "B": "m", "C": '{"x": true}'}


def test_pipelines_and_functions_are_told_by_arn_and_others_refused() -> None:
    calls: list[Any] = []
    deliver = deliverer(None, lambda *args: calls.append(args), lambda *args: calls.append(args))  # type: ignore[arg-type]
    pipeline, function = "arn:aws:sagemaker:us-east-1:0:pipeline/p", "arn:aws:lambda:us-east-1:0:function:f"
    deliver({"Arn": pipeline}, EVENT, EVENT)
    deliver({"Arn": function}, {"a": 1}, EVENT)
    assert calls == [(pipeline, {}), (function, b'{"a": 1}')]
    with pytest.raises(AwsError, match="targets of this kind get no events here"):
        deliver({"Arn": "arn:aws:states:us-east-1:0:stateMachine:x"}, EVENT, EVENT)
