from __future__ import annotations

import pytest

from trainyard.errors import AlreadyExists, DefinitionError, NotFound, StoreError, Unsupported
from trainyard.execution.steps.endpoint_config import KIND, create

CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def variant(name: str = "v", **more) -> dict:
    return {"VariantName": name, "ModelName": "m", "InstanceType": "ml.m5.large", **more}


@pytest.fixture
def with_model(store):
    store.resources.add("model", "m", {"ModelName": "m"})
    return store


def test_a_config_is_described_as_it_was_asked_for(with_model) -> None:
    variants = [variant(InitialVariantWeight=0.5), variant("w", ServerlessConfig={"MemorySizeInMB": 1024})]
    request = {"ProductionVariants": variants, "DataCaptureConfig": CAPTURE, "KmsKeyId": None, "Tags": []}
    made = create(with_model, "c", request)
    assert made == with_model.resources.get(KIND, "c")
    assert made.pop("CreationTime") > 0
    assert made == {
        "EndpointConfigName": "c",
        "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/c",
        "ProductionVariants": variants,
        "DataCaptureConfig": CAPTURE,
    }
    with pytest.raises(AlreadyExists, match="Cannot create already existing endpoint configuration"):
        create(with_model, "c", request)


@pytest.mark.parametrize(
    ("request_", "kind", "fragment"),
    [
        ({"ProductionVariants": [variant(), variant()]}, DefinitionError, "need names of their own"),
        ({"ProductionVariants": []}, DefinitionError, "need names of their own"),
        ({"ProductionVariants": [{"VariantName": "v"}]}, DefinitionError, "ModelName is missing"),
        ({"ProductionVariants": [variant(ModelName="n")]}, NotFound, 'Could not find model "arn:.*:model/n"'),
        ({"ProductionVariants": [variant()], "AsyncInferenceConfig": {"OutputConfig": {}}}, Unsupported, "Async"),
        ({"ProductionVariants": [variant()], "ShadowProductionVariants": [variant()]}, Unsupported, "Shadow"),
        ({"ProductionVariants": [variant()], "DataCaptureConfig": {}}, DefinitionError, "InitialSampling"),
        ({"ProductionVariants": [variant()], "DataCaptureConfig": {**CAPTURE, "DestinationS3Uri": "s3://b/../c"}},
         StoreError, "cannot be stored"),
        ({"ProductionVariants": [variant()], "DataCaptureConfig": {"CaptureOptions": [{"CaptureMode": "x"}]}},
         Unsupported, "InputAndOutput"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_not_recorded(with_model, request_, kind, fragment) -> None:
    with pytest.raises(kind, match=fragment):
        create(with_model, "c", request_)
    assert with_model.resources.all(KIND) == []
