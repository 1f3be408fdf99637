from __future__ import annotations

import pytest

from trainyard.errors import DefinitionError, StoreError
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps.register_model import register

URI = "s3://b/quality.json"


def arguments(**more):
    quality = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": URI}}}
    return {"ModelPackageGroupName": "g", "ModelMetrics": quality, **more}


def test_versions_count_up_and_keep_the_numbers_of_the_report(store) -> None:
    text = b'{"regression_metrics": {"mae": {"value": 1.5, "standard_deviation": 0.1}, "ok": true, "r2": null}, "n": 3}'
    store.objects.put_bytes(text, parse_uri(URI))
    first = register("S", arguments(), store.objects, store.registry)
    second = register("S", arguments(ModelApprovalStatus="Approved"), store.objects, store.registry)
    assert [first["ModelPackageVersion"], second["ModelPackageVersion"]] == [1, 2]
    assert second["ModelApprovalStatus"] == "Approved"
    metrics = store.registry.metrics(first["ModelPackageArn"])
    assert metrics == {"mae": 1.5, "n": 3.0}


def test_without_metrics(store) -> None:
    result = register("S", {"ModelPackageGroupName": "g"}, store.objects, store.registry)
    assert store.registry.metrics(result["ModelPackageArn"]) == {}


def test_what_is_missing_or_broken_is_named(store) -> None:
    with pytest.raises(DefinitionError, match=r"step 'S': Arguments\.ModelPackageGroupName is missing"):
        register("S", {}, store.objects, store.registry)
    with pytest.raises(StoreError, match=URI):
        register("S", arguments(), store.objects, store.registry)
    store.objects.put_bytes(b"{", parse_uri(URI))
    with pytest.raises(StoreError, match=f"{URI} is not JSON"):
        register("S", arguments(), store.objects, store.registry)
    assert store.registry.groups() == []
