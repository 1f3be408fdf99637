from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/"


def refused(call, **request):
    with pytest.raises(ClientError) as error:
        call(**request)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_group_is_made_described_and_deleted(sagemaker, store):
    made = sagemaker.create_model_package_group(
        ModelPackageGroupName="g-1", ModelPackageGroupDescription="first", Tags=[{"Key": "a", "Value": "b"}]
    )
    assert made["ModelPackageGroupArn"] == f"{ARN}g-1"
    assert store.resources.find("tags", f"{ARN}g-1")
    for name in ("g-1", f"{ARN}g-1"):
        found = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        assert found["ModelPackageGroupDescription"] == "first"
        assert found["ModelPackageGroupStatus"] == "Completed"
        assert "CreatedBy" in found
    sagemaker.delete_model_package_group(ModelPackageGroupName=f"{ARN}g-1")
    for call in (sagemaker.describe_model_package_group, sagemaker.delete_model_package_group):
        code, said = refused(call, ModelPackageGroupName="g-1")
        assert code == "ValidationException"
        assert f"ModelPackageGroup {ARN}g-1 does not exist" in said
    assert store.resources.find("tags", f"{ARN}g-1") is None


def test_a_taken_name_is_refused_as_the_sdk_expects(sagemaker):
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    code, said = refused(sagemaker.create_model_package_group, ModelPackageGroupName="g")
    assert (code, said) == ("ValidationException", f"Model Package Group already exists: {ARN}g")


def test_a_group_with_packages_stays(sagemaker, store):
    store.registry.register("g", {}, {})
    code, said = refused(sagemaker.delete_model_package_group, ModelPackageGroupName="g")
    assert (code, "still has 1 model packages" in said) == ("ConflictException", True)
    store.registry.delete("arn:aws:sagemaker:us-east-1:000000000000:model-package/g/1")
    sagemaker.delete_model_package_group(ModelPackageGroupName="g")


def test_groups_are_listed(sagemaker):
    for name in ("b1", "a", "b2"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(
        SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    names = [each["ModelPackageGroupName"] for page in pages for each in page["ModelPackageGroupSummaryList"]]
    assert names == ["b2", "b1", "a"]
    found = sagemaker.list_model_package_groups(NameContains="b")["ModelPackageGroupSummaryList"]
    assert {each["ModelPackageGroupArn"] for each in found} == {f"{ARN}b1", f"{ARN}b2"}
