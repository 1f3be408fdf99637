from __future__ import annotations

import itertools

import pytest

from trainyard.errors import DefinitionError, StoreError
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps.register_model import register

URI = "s3://b/quality.json"
TOKEN = map(str, itertools.count()).__next__


def arguments(**more):
    quality = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": URI}}}
    return {"ModelPackageGroupName": "g", "ModelMetrics": quality, **more}


def test_versions_count_up_and_keep_the_numbers_of_the_report(store) -> None:
    text = b'{"regression_metrics": {"mae": {"value": 1.5, "standard_deviation": 0.1}, "ok": true, "r2": null}, "n": 3}'
    store.objects.put_bytes(text, parse_uri(URI))
    first = register("S", arguments(), store.objects, store.registry, TOKEN())
    second = register("S", arguments(ModelApprovalStatus="Approved"), store.objects, store.registry, TOKEN())
    assert [first["ModelPackageVersion"], second["ModelPackageVersion"]] == [1, 2]
    assert second["ModelApprovalStatus"] == "Approved"
    metrics = store.registry.metrics(first["ModelPackageArn"])
    assert metrics == {"mae": 1.5, "n": 3.0}


def test_without_metrics(store) -> None:
    result = register("S", {"ModelPackageGroupName": "g"}, store.objects, store.registry, TOKEN())
    assert store.registry.metrics(result["ModelPackageArn"]) == {}


def test_what_is_missing_or_broken_is_named(store) -> None:
    with pytest.raises(DefinitionError, match=r"step 'S': Arguments\.ModelPackageGroupName is missing"):
        register("S", {}, store.objects, store.registry, TOKEN())
    with pytest.raises(StoreError, match=URI):
        register("S", arguments(), store.objects, store.registry, TOKEN())
    store.objects.put_bytes(b"{", parse_uri(URI))
    with pytest.raises(StoreError, match=f"{URI} is not JSON"):
        register("S", arguments(), store.objects, store.registry, TOKEN())
    assert store.registry.groups() == []


def test_the_same_token_registers_once(store) -> None:
    asked = {"ModelPackageGroupName": "g"}
    arns = {register("S", asked, store.objects, store.registry, "e1/S")["ModelPackageArn"] for _ in range(3)}
    other = register("S", asked, store.objects, store.registry, "e2/S")["ModelPackageArn"]
    assert len(arns) == 1 and other not in arns
