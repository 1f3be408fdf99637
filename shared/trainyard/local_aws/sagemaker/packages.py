"""Model packages: the versions of the local registry, their approval, and the events of both."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainyard.errors import NotFound, StoreError, Unsupported, UserError
from trainyard.execution.steps.register_model import read_metrics
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import groups, tags
from trainyard.local_aws.sagemaker.listing import page
from trainyard.registry.groups import ARN
from trainyard.registry.packages import package_arn, parse_arn

STATE_CHANGE = "SageMaker Model Package State Change"

_DECIDED_BY = "boto3 (UpdateModelPackage)"
_REPLACED = (
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_CURSOR = ("cursor", "model-package-changes")
_LOOK = 0.5
"""Seconds between two looks at what changed in the registry."""


def create(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    if group and name:
        raise AwsError(
            "ValidationException",
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use.",
        )
    if name:
        raise Unsupported(
            f"ModelPackageName {name!r}: unversioned model packages are not supported by the local endpoint; "
            "give a ModelPackageGroupName, whose next version this becomes"
        )
    if not group:
        raise AwsError(
            "ValidationException", "ModelPackageGroupName is missing: the group of the new version"
        )
    tags.check(request)
    found = groups.find(context, group)["ModelPackageGroupName"]
    asked = {**request, "ModelPackageGroupName": found}
    metrics: dict[str, float] = {}
    with suppress(
        StoreError
    ):  # AWS looks at no metrics file, so one that is elsewhere is no reason to refuse
        metrics = read_metrics(context.store.objects, request.get("ModelMetrics", {}))
    arn = context.store.registry.register(found, asked, metrics, request.get("ClientToken"))
    tags.keep(context.store, arn, request)
    return {"ModelPackageArn": arn}


def describe(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return _find(context, _arn(request["ModelPackageName"]))


def _find(context: Context, arn: str) -> dict[str, Any]:
    """A package, with AWS's wording where there is none: NotFound."""
    try:
        return context.store.registry.describe(arn)
    except NotFound as error:
        raise NotFound(f"ModelPackage {arn} does not exist: {error}") from error


def describe_batch(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    found, errors = {}, {}
    for arn in request["ModelPackageArnList"]:
        try:
            found[arn] = _find(context, arn)
        except NotFound as error:
            errors[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": str(error)}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


def list_packages(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """All of a group, or of every group: there are only versioned ones, whatever AWS's default would leave out."""
    registry = context.store.registry
    if group := request.get("ModelPackageGroupName"):
        names = [groups.find(context, group)["ModelPackageGroupName"]]
    else:
        names = [found["ModelPackageGroupName"] for found in registry.groups()]
    if request.get("ModelPackageType") == "Unversioned":
        names = []
    wanted = request.get("ModelApprovalStatus")
    items = [
        _item(name, version)
        for name in names
        for version in registry.versions(name)
        if wanted in (None, version["status"])
    ]
    return page(
        request,
        items,
        summary=lambda item: _summary(registry.describe(item["Arn"])),
        sort_keys={"Name": "Place", "CreationTime": "Created"},
        default_sort="CreationTime",
        name="Name",
        key="ModelPackageSummaryList",
    )


def update(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["ModelPackageArn"]
    registry = context.store.registry
    group, version = parse_arn(arn)
    decided = _find(context, arn)["ModelApprovalStatus"]
    members = [name for name in _REPLACED if name in request]
    if "CustomerMetadataProperties" in request or "CustomerMetadataPropertiesToRemove" in request:
        members.append("CustomerMetadataProperties")
    if "AdditionalInferenceSpecificationsToAdd" in request:
        members.append("AdditionalInferenceSpecifications")
    if members:
        registry.update(arn, lambda package: _changed(package, request), members)
    if "ModelApprovalStatus" in request or "ApprovalDescription" in request:
        status = request.get("ModelApprovalStatus", decided)
        registry.decide(
            group, version, status, by=_DECIDED_BY, reason=request.get("ApprovalDescription") or None
        )
    return {"ModelPackageArn": arn}


def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    arn = _arn(request["ModelPackageName"])
    _find(context, arn)
    context.store.registry.delete(arn)
    tags.forget(context.store, arn)
    return {}


def announce(context: Context) -> None:
    """Emit an event for each change in the registry, whoever made it, until the endpoint closes.

    What changed while no endpoint ran is told by the next one.
    """
    said = ""
    while not context.background.stop.requested:
        try:
            _tell(context)
            said = ""
        except UserError as error:  # a full disk, say: what is to be told waits until it can be
            if said != str(error):
                said = str(error)
                print(f"{STATE_CHANGE}: {error}", file=sys.stderr, flush=True)
        time.sleep(_LOOK)


def _tell(context: Context) -> None:
    resources, registry = context.store.resources, context.store.registry
    cursor = resources.find(*_CURSOR)
    if cursor is None:  # nothing of what was before the first endpoint
        resources.add(*_CURSOR, {"Last": registry.last_change()})
        return
    for number, arn, members in registry.changes(int(cursor["Last"])):
        with suppress(NotFound):  # deleted since
            context.emit(STATE_CHANGE, _detail(registry.describe(arn), members))
        resources.update(*_CURSOR, Last=number)


def _arn(name_or_arn: str) -> str:
    return name_or_arn if name_or_arn.startswith("arn:") else f"{ARN}model-package/{name_or_arn}"


def _item(group: str, version: Mapping[str, Any]) -> dict[str, Any]:
    number = f"{group}/{version['version']:09d}"
    return {
        "Name": f"{group}/{version['version']}",
        "Arn": package_arn(group, version["version"]),
        "CreationTime": version["created"],
        "Place": number,
        "Created": f"{version['created']} {number}",  # times are whole seconds
    }


def _summary(package: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in package.items() if name != "ModelPackageName"}  # as AWS's are


def _changed(package: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    changed = {**package, **{name: request[name] for name in _REPLACED if name in request}}
    properties = {
        **package.get("CustomerMetadataProperties", {}),
        **request.get("CustomerMetadataProperties", {}),
    }
    for name in request.get("CustomerMetadataPropertiesToRemove", ()):
        properties.pop(name, None)
    changed["CustomerMetadataProperties"] = properties
    if not properties:
        del changed["CustomerMetadataProperties"]
    present = package.get("AdditionalInferenceSpecifications", [])
    names = {specification["Name"] for specification in present}
    added = request.get("AdditionalInferenceSpecificationsToAdd", [])
    for specification in added:
        if specification["Name"] in names:
            raise AwsError(
                "ValidationException",
                f"AdditionalInferenceSpecificationsToAdd: there is one of the name {specification['Name']!r} already",
            )
    if added:
        changed["AdditionalInferenceSpecifications"] = [*present, *added]
    return changed


def _detail(package: Mapping[str, Any], members: list[str]) -> dict[str, Any]:
    kept = {name: value for name, value in package.items() if name not in ("ClientToken", "Tags")}
    return {**kept, **({"UpdatedModelPackageFields": members} if members else {})}


OPERATIONS: dict[str, Handler] = {
    "CreateModelPackage": create,
    "DescribeModelPackage": describe,
    "BatchDescribeModelPackage": describe_batch,
    "ListModelPackages": list_packages,
    "UpdateModelPackage": update,
    "DeleteModelPackage": delete,
}
