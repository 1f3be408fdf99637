from __future__ import annotations

from typing import Any

import pytest

from trainyard.definition.document import parse
from trainyard.definition.order import order
from trainyard.errors import DefinitionError

STEPS = [{"Name": kind, "Type": kind, "Arguments": {}} for kind in ("Training", "Processing", "Model")]


def cleanup(*sources: Any, **arguments: Any) -> list[dict[str, Any]]:
    resources = {"Resources": {"S3": list(sources)}}
    return [{"Name": "C", "Type": "Cleanup", "Arguments": {**resources, **arguments}}, *STEPS]


def test_it_waits_for_what_it_cleans_up() -> None:
    uris = ["s3://b/x", {"Get": "Steps.Processing.x"}]
    document = parse({"Steps": cleanup({"StepName": "Training"}, {"StepName": "Processing", "S3Uris": uris})})
    assert order(document).dependencies["C"] == {"Training", "Processing"}


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (cleanup(), "Resources.S3: empty"),
        (cleanup({"StepName": "Trainin"}), "no step 'Trainin'; did you mean 'Training'"),
        (cleanup({"S3Uris": []}), "StepName: missing"),
        (cleanup({"StepName": "Processing"}), "S3Uris: missing; name each object of a Processing step"),
        (
            cleanup({"StepName": "Model"}),
            "'Model' is a Model step; objects of these are cleaned up: Training",
        ),
        (cleanup("Training"), "must be an object"),
        (cleanup({"StepName": "Training"}, Other=1), "unknown key 'Other'"),
        (cleanup(Resources=[]), "Resources: must be an object"),
    ],
)
def test_what_is_wrong_is_said(steps: list[Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse({"Steps": steps})
