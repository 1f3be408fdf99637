from __future__ import annotations

from typing import Any

import pytest

from trainyard.errors import DefinitionError
from trainyard.execution.steps.transform_request import read_request

CSV = {"ContentType": "text/csv", "SplitType": "Line"}
CSV_OUT = {"Accept": "text/csv", "AssembleWith": "Line"}


def arguments(
    given: dict[str, Any] | None = None, output: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}
    return {
        "ModelName": "m",
        "TransformInput": {"DataSource": source, **(given or {})},
        "TransformOutput": {"S3OutputPath": "s3://b/out", **(output or {})},
        "TransformResources": {"InstanceCount": 2, "InstanceType": "ml.m5.large"},
        **more,
    }


def test_defaults_are_those_of_the_api() -> None:
    request = read_request("S", arguments(), "job")
    assert (request.name, request.model, request.channel.uri, request.output_uri) == (
        "job", "m", "s3://b/in/", "s3://b/out",
    )  # fmt: skip
    assert (request.split, request.assemble, request.gzipped, request.instances) == ("None", "None", False, 2)
    assert (request.timeout, request.retries, request.strategy) == (600.0, 3, None)
    assert (request.joining.input_filter.text, request.joining.output_filter.text, request.joining.join) == (
        "$", "$", False,
    )  # fmt: skip


def test_what_is_given_is_taken() -> None:
    client = {"InvocationsTimeoutInSeconds": 5, "InvocationsMaxRetries": 0}
    capture = {"DestinationS3Uri": "s3://b/captured", "GenerateInferenceId": True}
    request = read_request(
        "S",
        arguments(CSV, CSV_OUT, ModelClientConfig=client, DataCaptureConfig=capture, MaxPayloadInMB=0,
                  BatchStrategy="SingleRecord", Environment={"A": "1"}),
        "job",
    )  # fmt: skip
    assert (request.timeout, request.retries, request.max_payload) == (5.0, 0, 0)
    assert (request.capture_uri, request.inference_ids) == ("s3://b/captured", True)
    assert request.platform_environment == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (arguments(MaxConcurrentTransforms=20, MaxPayloadInMB=6), "20 \\* 6 MB; it may not exceed 100 MB"),
        (arguments(BatchStrategy="SingleRecord"), "SplitType None"),
        (arguments(DataProcessing={"JoinSource": "Input"}), "needs TransformInput.ContentType text/csv"),
        (arguments(CSV, {"Accept": "application/json"}, DataProcessing={"JoinSource": "Input"}), "same format"),
        (arguments({"ContentType": "text/csv"}, CSV_OUT, DataProcessing={"InputFilter": "$[0]"}), "SplitType Line"),
        (arguments(CSV, {"Accept": "text/csv"}, DataProcessing={"OutputFilter": "$[0]"}), "AssembleWith Line"),
        (arguments(CSV, CSV_OUT, DataProcessing={"InputFilter": "$.a"}), "CSV columns have positions"),
        (arguments(CSV, CSV_OUT, DataProcessing={"InputFilter": "$..a"}), "DataProcessing.InputFilter: JSONPath"),
        (arguments(DataCaptureConfig={"DestinationS3Uri": "s3://b/c", "GenerateInferenceId": True}), "Accept"),
        (arguments({"ContentType": "text/csv", "SplitType": "RecordIO"}, DataProcessing={"InputFilter": "$[0]"}),
         "SplitType Line"),
        ({**arguments(), "TransformInput": []}, "TransformInput.DataSource"),
        ({**arguments(), "TransformResources": {"InstanceCount": 0}}, "InstanceCount is 0"),
        (arguments(ModelClientConfig=[1]), "shape of a CreateTransformJob request"),
        ({**arguments(), "TransformOutput": {"S3OutputPath": "/tmp/x"}}, "S3OutputPath"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(request_, message) -> None:
    with pytest.raises(DefinitionError, match=message):
        read_request("S", request_, "job")


def test_input_and_output_may_differ_where_nothing_is_joined() -> None:
    request = read_request(
        "S",
        arguments(CSV, {"Accept": "application/json"}, DataProcessing={"OutputFilter": "$['class']"}),
        "job",
    )
    assert (request.joining.takes, request.joining.gives) == ("csv", "json")
