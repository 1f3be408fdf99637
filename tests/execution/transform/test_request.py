from __future__ import annotations

from trainyard.execution.request import Channel
from trainyard.execution.transform.joining import Joining
from trainyard.execution.transform.jsonpath import parse
from trainyard.execution.transform.request import TransformRequest


def test_only_what_was_asked_for_is_passed_on() -> None:
    joining = Joining(
        input_filter=parse("$"), output_filter=parse("$"), join=False, takes="other", gives="other"
    )
    channel = Channel(name="in", container_path="", uri="s3://b/k")
    request = TransformRequest(name="j", model="m", channel=channel, output_uri="s3://b/o", joining=joining)
    assert request.platform_environment == {"SAGEMAKER_BATCH": "true"}
