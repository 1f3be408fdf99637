"""Model package groups."""

from __future__ import annotations

from typing import Any

from trainyard.errors import NotFound, Unsupported
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.sagemaker import tags
from trainyard.local_aws.sagemaker.listing import page
from trainyard.registry.groups import group_arn


def group_name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def find(context: Context, name_or_arn: str) -> dict[str, Any]:
    """A group, with AWS's wording where there is none: NotFound."""
    name = group_name(name_or_arn)
    try:
        return context.store.registry.describe_group(name)
    except NotFound as error:
        raise NotFound(f"ModelPackageGroup {group_arn(name)} does not exist: {error}") from error


def create(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelPackageGroupName"]
    if request.get("ManagedConfiguration"):
        raise Unsupported(
            "ManagedConfiguration is not supported by the local endpoint: a local group has no managed storage; "
            "leave it out"
        )
    tags.check(request)
    arn = context.store.registry.create_group(name, request.get("ModelPackageGroupDescription"))
    tags.keep(context.store, arn, request)
    return {"ModelPackageGroupArn": arn}


def describe(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {**find(context, request["ModelPackageGroupName"]), "CreatedBy": {}}


def list_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    none = request.get("CrossAccountFilterOption") == "CrossAccount"  # there is one account
    return page(
        request,
        [] if none else context.store.registry.groups(),
        summary=lambda group: group,
        sort_keys={"Name": "ModelPackageGroupName", "CreationTime": "CreationTime"},
        default_sort="CreationTime",
        name="ModelPackageGroupName",
        key="ModelPackageGroupSummaryList",
    )


def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    found = find(context, request["ModelPackageGroupName"])
    context.store.registry.delete_group(found["ModelPackageGroupName"])
    tags.forget(context.store, found["ModelPackageGroupArn"])
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateModelPackageGroup": create,
    "DescribeModelPackageGroup": describe,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete,
}
