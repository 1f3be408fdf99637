from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
from botocore.exceptions import ClientError

from tests.conftest import wait_until
from trainyard.errors import DiskFull
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws.sagemaker import packages

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/"
SERVING = {
    "Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def refused(call, **request):
    with pytest.raises(ClientError) as error:
        call(**request)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


@pytest.fixture(autouse=True)
def looking(monkeypatch):
    monkeypatch.setattr(packages, "_LOOK", 0.05)


@pytest.fixture
def create(sagemaker):
    """Add a version to a group, which is made if need be; the answer is its ARN."""

    def make(group="g", **more):
        found = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
        if not found:
            sagemaker.create_model_package_group(ModelPackageGroupName=group)
        answer = sagemaker.create_model_package(
            ModelPackageGroupName=group, InferenceSpecification=SERVING, **more
        )
        return answer["ModelPackageArn"]

    return make


def test_a_version_is_described_by_arn_and_name(create, sagemaker, store):
    report = {"regression_metrics": {"mae": {"value": 3.5, "standard_deviation": 1}}}
    store.objects.put_bytes(json.dumps(report).encode(), parse_uri("s3://bucket/report.json"))
    statistics = {"ContentType": "application/json", "S3Uri": "s3://bucket/report.json"}
    metrics = {"ModelQuality": {"Statistics": statistics}}
    arn = create(ModelMetrics=metrics, CustomerMetadataProperties={"Horizon": "7"})
    assert arn == f"{ARN}g/1"
    for name in (arn, "g/1"):
        found = sagemaker.describe_model_package(ModelPackageName=name)
        assert found["ModelPackageArn"] == arn
        assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == ("g", 1)
        assert found["InferenceSpecification"] == SERVING
        assert found["ModelMetrics"] == metrics
        assert found["ModelApprovalStatus"] == "PendingManualApproval"
        assert found["ModelPackageStatus"] == "Completed"
    assert store.registry.metrics(arn) == {"mae": 3.5}
    lost = {"ModelQuality": {"Statistics": {**statistics, "S3Uri": "s3://elsewhere/report.json"}}}
    assert store.registry.metrics(create(ModelMetrics=lost)) == {}


def test_what_cannot_be_registered_is_refused(sagemaker, create):
    call = sagemaker.create_model_package
    assert "ModelPackageGroup" in refused(call, ModelPackageGroupName="none")[1]
    assert "does not exist" in refused(call, ModelPackageGroupName="none")[1]
    assert "unversioned model packages are not supported" in refused(call, ModelPackageName="m")[1]
    assert "Cannot determine which one" in refused(call, ModelPackageName="m", ModelPackageGroupName="g")[1]
    assert refused(call)[0] == "ValidationException"
    missing = f"ModelPackage {ARN}g/1 does not exist"
    for call in (sagemaker.describe_model_package, sagemaker.delete_model_package):
        assert refused(call, ModelPackageName="g")[0] == "ValidationException"
        for name in (f"{ARN}g/1", "g/1"):
            code, said = refused(call, ModelPackageName=name)
            assert (code, missing in said) == ("ValidationException", True)
    create()
    assert (
        "has no version 7; there are: 1"
        in refused(sagemaker.describe_model_package, ModelPackageName="g/7")[1]
    )


def test_a_token_registers_once(create):
    token = "token-1"
    assert [create(ClientToken=token), create(ClientToken=token), create()] == [f"{ARN}g/1"] * 2 + [
        f"{ARN}g/2"
    ]


def test_versions_are_listed_with_filters_and_pages(create, sagemaker):
    for _ in range(11):
        create(ModelPackageDescription="one of many")
    create("other")
    sagemaker.update_model_package(ModelPackageArn=f"{ARN}g/3", ModelApprovalStatus="Approved")

    def versions(**asked):
        answer = sagemaker.list_model_packages(**asked)
        return [each["ModelPackageArn"].removeprefix(ARN) for each in answer["ModelPackageSummaryList"]]

    newest = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    assert versions(ModelPackageGroupName="g", MaxResults=2, **newest) == ["g/11", "g/10"]
    assert versions(ModelPackageGroupName="g", ModelApprovalStatus="Approved") == ["g/3"]
    assert versions(NameContains="oth") == ["other/1"]
    assert versions(ModelPackageType="Unversioned") == []
    pages = sagemaker.get_paginator("list_model_packages").paginate(PaginationConfig={"PageSize": 5})
    found = [each for page in pages for each in page["ModelPackageSummaryList"]]
    names = [each["ModelPackageArn"].removeprefix(ARN) for each in found]
    assert sorted(names) == sorted([*(f"g/{number}" for number in range(1, 12)), "other/1"])
    assert found[0]["ModelPackageDescription"] == "one of many"
    code, said = refused(sagemaker.list_model_packages, ModelPackageGroupName="nothing")
    assert (code, "does not exist" in said) == ("ValidationException", True)


def test_approving_is_kept_with_who_and_why(create, sagemaker, store):
    arn = create()
    update = partial(sagemaker.update_model_package, ModelPackageArn=arn)
    assert update(ModelApprovalStatus="Approved", ApprovalDescription="better")["ModelPackageArn"] == arn
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "better")
    update(ModelApprovalStatus="Rejected")
    assert "ApprovalDescription" not in sagemaker.describe_model_package(ModelPackageName=arn)
    decisions = store.registry.approvals("g", 1)
    assert [(each["status"], each["reason"]) for each in decisions] == [
        ("PendingManualApproval", ""),
        ("Approved", "better"),
        ("Rejected", ""),
    ]
    assert "UpdateModelPackage" in decisions[1]["by"]
    assert refused(update, ModelApprovalStatus="Fine")[0] == "ValidationException"


def test_metadata_is_added_and_removed(create, sagemaker):
    arn = create(CustomerMetadataProperties={"a": "1", "b": "2"})
    extra = {"Name": "small", "Containers": SERVING["Containers"]}
    stage = {"Stage": "Staging", "StageStatus": "Approved"}
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a"],
        AdditionalInferenceSpecificationsToAdd=[extra],
        ModelLifeCycle=stage,
        SourceUri="s3://bucket/source",
    )
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert found["AdditionalInferenceSpecifications"] == [extra]
    assert (found["ModelLifeCycle"], found["SourceUri"]) == (stage, "s3://bucket/source")
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    code, said = refused(
        sagemaker.update_model_package, ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[extra]
    )
    assert (code, "'small' already" in said) == ("ValidationException", True)


def test_a_deleted_version_is_gone_and_its_number_as_well(create, sagemaker):
    create()
    arn = create()
    sagemaker.delete_model_package(ModelPackageName="g/2")
    assert refused(sagemaker.delete_model_package, ModelPackageName=arn)[0] == "ValidationException"
    assert create() == f"{ARN}g/3"
    both = sagemaker.batch_describe_model_package(ModelPackageArnList=[f"{ARN}g/1", arn])
    assert list(both["ModelPackageSummaries"]) == [f"{ARN}g/1"]
    assert "has no version 2" in both["BatchDescribeModelPackageErrorMap"][arn]["ErrorResponse"]


def test_every_change_is_announced_whoever_made_it(create, sagemaker, context, store, emitted):
    create("before")
    context.background.start("announce", partial(packages.announce, context))
    wait_until(lambda: store.resources.find("cursor", "model-package-changes") is not None)
    arn = create()
    store.registry.decide("g", 1, "Approved", by="Ada", reason="better")  # as `trainyard models approve` does
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "1"})
    wait_until(lambda: len(emitted) == 3)
    assert {kind for kind, _ in emitted} == {"SageMaker Model Package State Change"}
    details = [detail for _, detail in emitted]
    assert {detail["ModelPackageArn"] for detail in details} == {arn}
    assert [detail.get("UpdatedModelPackageFields") for detail in details] == [
        None,
        ["ModelApprovalStatus"],
        ["CustomerMetadataProperties"],
    ]
    assert details[2]["ModelApprovalStatus"] == "Approved"
    json.dumps(details)


def test_what_changed_while_no_endpoint_ran_is_announced_later(create, context, store, emitted):
    store.resources.add("cursor", "model-package-changes", {"Last": 0})
    arn = create()
    context.background.start("announce", partial(packages.announce, context))
    wait_until(lambda: len(emitted) == 1)
    assert emitted[0][1]["ModelPackageArn"] == arn


def test_what_cannot_be_told_on_a_full_disk_is_told_once_it_can(create, context, store, emitted, capfd):
    store.resources.add("cursor", "model-package-changes", {"Last": 0})
    full = [DiskFull("no space left for db") for _ in range(3)]

    def emit(kind, detail):
        if full:
            raise full.pop()
        emitted.append((kind, detail))

    arns = [create(), create()]
    quick = replace(context, emit=emit)
    quick.background.start("announce", partial(packages.announce, quick))
    wait_until(lambda: len(emitted) == 2)
    assert [detail["ModelPackageArn"] for _, detail in emitted] == arns
    said = capfd.readouterr().err
    assert said == "SageMaker Model Package State Change: no space left for db\n"  # and not twice a second
    wait_until(lambda: store.resources.get("cursor", "model-package-changes")["Last"] == 2)


def test_a_start_on_a_full_disk_is_tried_again(create, context, store, emitted, monkeypatch):
    real, full = store.resources.add, [DiskFull("no space left")]

    def add(*given, **more):
        if full:
            raise full.pop()
        return real(*given, **more)

    monkeypatch.setattr(store.resources, "add", add)
    context.background.start("announce", partial(packages.announce, context))
    wait_until(lambda: store.resources.find("cursor", "model-package-changes") is not None)
    arn = create()
    wait_until(lambda: [detail["ModelPackageArn"] for _, detail in emitted] == [arn])
