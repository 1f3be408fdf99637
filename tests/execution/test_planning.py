from __future__ import annotations

import pytest

from trainyard.errors import Unsupported
from trainyard.execution.planning import only


def loop(body) -> dict:
    arguments = {"IterableItems": ["s3://b/x"], "MaxConcurrency": 1, "ForEachBody": [body]}
    return {"Name": "Loop", "Type": "ForEach", "Arguments": arguments}


def test_the_body_of_a_for_each_step_is_planned_with_it(make_executor, definition, processing) -> None:
    body = processing("Body", "s3://b/c/", inputs={"raw": {"Get": "ForEach.CurrentItem"}})
    planned = make_executor().plan(definition(loop(body), processing("After", "s3://b/c/")), "p", {})
    assert [(each.step.name, each.job is not None) for each in planned] == [
        ("Loop", False), ("Body", True), ("After", True),
    ]  # fmt: skip
    assert planned[1].job.channels[1].uri == "${ForEach.CurrentItem}"
    assert [each.step.name for each in only(planned, ["Loop"])] == ["Loop", "Body"]


def test_what_cannot_run_in_a_body_is_refused_before_anything_starts(
    make_executor, definition, processing
) -> None:
    body = processing("Body", "s3://b/c/")
    body["Arguments"]["AppSpecification"]["ImageUri"] = "other:1"
    with pytest.raises(Unsupported, match="--map other:1=TARGET"):
        make_executor().start(definition(loop(body)), "p", {})


def test_a_python_function_needs_the_local_endpoint(make_executor, definition, training) -> None:
    step = training("Points", "s3://b/c/", inputs={"sagemaker_remote_function_bootstrap": "s3://b/boot/"})
    with pytest.raises(Unsupported, match=r"'Points' is a Python function .* trainyard local up"):
        make_executor().start(definition(step), "p", {})
